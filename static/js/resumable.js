// Sends a file so that a broken connection costs only what was on its way (https://tus.io, version 1.0.0).
// sendInParts({address, token, blob, key, piece, …}) is one upload: start it, stop it, start it again, or end it.
"use strict";

(() => {
  const SPOKEN = { "Tus-Resumable": "1.0.0" };
  const WAITS = [1000, 2000, 4000, 8000]; // milliseconds before it is tried again; then it is given up

  const pause = (time) => new Promise((done) => setTimeout(done, time));

  class Broken extends Error {}

  class Upload {
    constructor({ address, token, blob, key, piece, sent, waiting }) {
      Object.assign(this, { create: address, token, blob, key, piece, sent, waiting });
      this.address = null; // of the upload, once it was begun
      this.offset = 0;
      this.request = null;
      this.stopped = false;
    }

    /** One request; rejects when no answer came or the server is not well. */
    ask(method, address, headers = {}, body = null) {
      return new Promise((answered, failed) => {
        const request = new XMLHttpRequest();
        this.request = request;
        request.open(method, address);
        const all = { ...SPOKEN, "X-CSRFToken": this.token, ...headers };
        for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
        request.upload.onprogress = (event) => body && this.sent(this.offset + event.loaded);
        request.onload = () => {
          const passing = request.status >= 500 || [409, 423].includes(request.status);
          if (passing) failed(new Broken());
          else answered(request);
        };
        request.onerror = request.onabort = () => failed(new Broken());
        request.send(body);
      });
    }

    /** Begin, or ask how far it is; a later one than what is there no more begins anew. */
    async find() {
      if (this.address) {
        const told = await this.ask("HEAD", this.address);
        if (told.status === 200) return told;
        this.address = null;
      }
      const length = { "Upload-Length": this.blob.size, "Idempotency-Key": this.key };
      const told = await this.ask("POST", this.create, length);
      if (told.status === 201) this.address = told.getResponseHeader("Location");
      return told;
    }

    /** Ask how far it is, and send from there on until an answer says something else: that one. */
    async once() {
      let told = await this.find();
      while (this.address && [200, 201, 204].includes(told.status)) {
        if (told.getResponseHeader("Recording-Location")) break;
        this.offset = Number(told.getResponseHeader("Upload-Offset"));
        this.sent(this.offset);
        const headers = {
          "Upload-Offset": this.offset,
          "Content-Type": "application/offset+octet-stream",
        };
        // Piece by piece: browsers send the whole of a request again by themselves when a line breaks.
        const piece = this.blob.slice(this.offset, this.offset + this.piece);
        told = await this.ask("PATCH", this.address, headers, piece);
      }
      return told;
    }

    /** Send what is missing: {arrived: address}, {refused: answer}, {offline} or {stopped}. */
    async start() {
      this.stopped = false;
      let furthest = -1;
      for (let tried = 0; ; tried += 1) {
        try {
          const told = await this.once();
          const arrived = told.getResponseHeader("Recording-Location");
          if (arrived) return { arrived };
          return { refused: told };
        } catch (error) {
          if (!(error instanceof Broken)) throw error;
        }
        if (this.stopped) return { stopped: true };
        if (this.offset > furthest) tried = 0; // it goes on, however slowly
        furthest = Math.max(furthest, this.offset);
        if (tried >= WAITS.length) return { offline: true };
        this.waiting();
        await pause(WAITS[tried]);
        if (this.stopped) return { stopped: true };
      }
    }

    stop() {
      this.stopped = true;
      this.request?.abort();
    }

    /** Nothing of it is to stay with the server: whether the server has said so. */
    async end() {
      this.stop();
      if (!this.address) return true;
      const told = await this.ask("DELETE", this.address).catch(() => null);
      return [204, 404].includes(told?.status);
    }
  }

  window.sendInParts = (given) => new Upload(given);

  /** What the page of a refusal says. */
  window.sendInParts.told = (page) => {
    const answer = new DOMParser().parseFromString(page, "text/html");
    const said = [".error-summary li", "[data-told]", "h1"].map((each) => answer.querySelector(each));
    return said.find(Boolean)?.textContent.trim() ?? "";
  };
})();
