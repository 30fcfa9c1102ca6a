// Records with the person's own camera: look, record, look again, send. Until they press the button
// that sends, nothing leaves the page; what they throw away was never anywhere else.
"use strict";

(() => {
  const root = document.querySelector("[data-recorder]");
  if (!root) return;

  const FORMATS = ["video/webm;codecs=vp8", "video/webm", "video/mp4"];
  const TROUBLES = { NotAllowedError: "not-allowed", SecurityError: "not-allowed", NotFoundError: "none" };
  const ARRIVED = /\/recordings\/[0-9a-f-]{36}\/$/; // the page that an accepted upload leads to
  const LOOK_EVERY = 700; // milliseconds between two looks at the light
  const WAITS = [2000, 4000, 8000]; // milliseconds before a broken upload is tried again
  const OVAL = { high: 0.7, wide: 0.75 }; // of the picture's height; of the oval's height
  const AGAINST = { face: 0.35, around: 0.9 }; // the brightest parts: of the face, of what surrounds it
  const NEAR = 0.5; // a face as high as this share of the oval is near enough

  const limits = Object.fromEntries(
    Object.entries(root.dataset).map(([name, value]) => [name, Number(value)]),
  );
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const words = Object.fromEntries(
    [...root.querySelectorAll("[data-word]")].map((word) => [word.dataset.word, word.textContent]),
  );
  const live = part("live");
  const sample = document.createElement("canvas");
  const finder = "FaceDetector" in window ? new window.FaceDetector({ fastMode: true }) : null;
  let stream = null;
  let looking = 0;
  let clock = 0;
  let recorder = null;
  let taken = null; // { blob, name, key, address }: what was recorded and not sent yet
  let request = null;

  /** Show what belongs to a state, say it, and leave the focus on something that is there. */
  function enter(state, word = state, more = "") {
    for (const piece of root.querySelectorAll("[data-when]")) {
      piece.hidden = !piece.dataset.when.split(" ").includes(state);
    }
    part("status").textContent = `${words[word]} ${more}`.trim();
    if (document.activeElement === document.body || root.contains(document.activeElement)) {
      [...root.querySelectorAll("button")].find((button) => button.offsetParent)?.focus();
    }
  }

  async function open() {
    enter("asking");
    if (!navigator.mediaDevices) return enter("trouble", "insecure");
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 720 } },
      });
      live.srcObject = stream;
      await live.play();
    } catch (error) {
      close();
      return enter("trouble", TROUBLES[error.name] || "busy");
    }
    for (const track of stream.getTracks()) track.addEventListener("ended", lose);
    drawOval();
    looking = setInterval(look, LOOK_EVERY);
    return enter("ready");
  }

  /** The camera goes off, and its lamp with it. */
  function close() {
    clearInterval(looking);
    clearInterval(clock);
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = live.srcObject = null;
    part("hint").textContent = "";
  }

  /** The device or the browser took the camera away: what was half filmed is nothing whole. */
  function lose() {
    if (!stream) return;
    if (recorder) recorder.onstop = null;
    recorder = null;
    close();
    enter("trouble", "lost");
  }

  function forget() {
    taken?.upload?.end();
    if (taken) URL.revokeObjectURL(taken.address);
    taken = null;
    for (const name of ["photograph", "film"]) {
      part(name).hidden = true;
      part(name).removeAttribute("src");
    }
  }

  /** The oval's box in the camera's own pixels. */
  function oval() {
    const { videoWidth: wide, videoHeight: high } = live;
    const tall = high * OVAL.high;
    const broad = Math.min(tall * OVAL.wide, wide);
    return { x: (wide - broad) / 2, y: (high - tall) / 2, width: broad, height: tall };
  }

  function drawOval() {
    const box = oval();
    const frame = part("frame");
    frame.setAttribute("viewBox", `0 0 ${live.videoWidth} ${live.videoHeight}`);
    const shape = frame.firstElementChild;
    shape.setAttribute("cx", live.videoWidth / 2);
    shape.setAttribute("cy", live.videoHeight / 2);
    shape.setAttribute("rx", box.width / 2);
    shape.setAttribute("ry", box.height / 2);
  }

  /** Luma of a part of the picture, 0 to 255, smallest first; of the oval what lies within it. */
  function lumas(box, round = false) {
    sample.width = 48;
    sample.height = 64;
    const pen = sample.getContext("2d", { willReadFrequently: true });
    pen.drawImage(live, box.x, box.y, box.width, box.height, 0, 0, 48, 64);
    const pixels = pen.getImageData(0, 0, 48, 64).data;
    const found = [];
    for (let at = 0; at < 48 * 64; at += 1) {
      const across = ((at % 48) + 0.5) / 24 - 1; // -1 to 1 in the box
      const down = (Math.floor(at / 48) + 0.5) / 32 - 1;
      if (round && across * across + down * down > 1) continue;
      found.push(0.299 * pixels[4 * at] + 0.587 * pixels[4 * at + 1] + 0.114 * pixels[4 * at + 2]);
    }
    return Uint8Array.from(found).sort();
  }

  const bright = (sorted) =>
    sorted[Math.floor((sorted.length - 1) * (limits.brightPercentile / 100))] / 255;

  /** Light as the analysis judges it: by the brightest parts, for a mean would call dark skin dark; and of
   *  the face alone, for in the corners around it lies what is behind. */
  function light() {
    const face = lumas(oval(), true);
    const around = lumas({ x: 0, y: 0, width: live.videoWidth, height: live.videoHeight });
    const burnt = face.filter((luma) => luma >= limits.burntOut).length / face.length;
    if (bright(face) < AGAINST.face && bright(around) > AGAINST.around) return "against";
    if (bright(face) < limits.darkest) return "dark";
    return burnt > limits.burntShare ? "bright" : "fine";
  }

  /** Where the face is, in browsers that can find one; elsewhere the oval alone has to do. */
  async function framing() {
    const faces = finder ? await finder.detect(live).catch(() => null) : null;
    if (!faces) return "";
    if (faces.length > 1) return "others";
    const box = oval();
    const face = faces[0]?.boundingBox;
    const inside =
      face &&
      Math.abs(face.x + face.width / 2 - (box.x + box.width / 2)) < box.width / 2 &&
      Math.abs(face.y + face.height / 2 - (box.y + box.height / 2)) < box.height / 2;
    if (!inside) return "nobody";
    return face.height < NEAR * box.height ? "far" : "";
  }

  async function look() {
    const lit = light();
    const framed = await framing();
    if (!stream) return;
    const hint = words[lit === "fine" && framed ? framed : lit];
    if (part("hint").textContent !== hint) part("hint").textContent = hint;
  }

  function keep(blob, name, shown) {
    close();
    const address = URL.createObjectURL(blob);
    taken = { blob, name, address, key: crypto.randomUUID() };
    part(shown).src = address;
    part(shown).hidden = false;
    enter("review");
  }

  function photograph() {
    const whole = document.createElement("canvas");
    whole.width = live.videoWidth;
    whole.height = live.videoHeight;
    whole.getContext("2d").drawImage(live, 0, 0);
    whole.toBlob((blob) => keep(blob, "camera.jpg", "photograph"), "image/jpeg", 0.92);
  }

  const minutes = (seconds) =>
    `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  function film() {
    const format = FORMATS.find((each) => window.MediaRecorder?.isTypeSupported(each));
    if (!format) {
      close();
      return enter("trouble", "no-films");
    }
    const pieces = [];
    let bytes = 0;
    const begun = performance.now();
    recorder = new MediaRecorder(stream, { mimeType: format, videoBitsPerSecond: limits.filmBits });
    clock = setInterval(() => {
      const seconds = (performance.now() - begun) / 1000;
      part("timer").textContent = `${minutes(seconds)} / ${minutes(limits.mostSeconds)}`;
      if (seconds > limits.mostSeconds - 1) stop();
    }, 250);
    recorder.ondataavailable = (event) => {
      pieces.push(event.data);
      bytes += event.data.size;
      if (bytes > limits.mostBytes) stop();
    };
    recorder.onstop = () => {
      recorder = null;
      const kind = format.split(";")[0];
      keep(new Blob(pieces, { type: kind }), `camera.${kind.split("/")[1]}`, "film");
    };
    recorder.start(1000);
    part("timer").textContent = `0:00 / ${minutes(limits.mostSeconds)}`;
    return enter("filming");
  }

  function stop() {
    if (recorder?.state === "recording") recorder.stop();
  }

  function send() {
    if (taken.blob.size > limits.partBytes) inParts();
    else whole();
  }

  /** Send what is long so that a broken connection costs what was on its way, and no more. */
  async function inParts() {
    const kept = taken;
    kept.upload ??= window.sendInParts({
      address: root.dataset.uploads,
      token: root.querySelector("[name=csrfmiddlewaretoken]").value,
      blob: kept.blob,
      key: kept.key,
      piece: limits.partBytes,
      sent(bytes) {
        part("progress").value = Math.floor((100 * bytes) / kept.blob.size);
        if (bytes) part("status").textContent = words.sending;
      },
      waiting: () => enter("sending", "again-soon"),
    });
    enter("sending");
    const told = await kept.upload.start();
    if (taken !== kept || told.stopped) return;
    if (told.arrived) {
      taken = null;
      location.assign(told.arrived);
    } else if (told.offline) {
      enter("offline", "interrupted");
    } else {
      const again = told.refused.status === 200; // as in whole()
      if (!again) kept.upload = null;
      enter(again ? "offline" : "refused", "refused", window.sendInParts.told(told.refused.responseText));
    }
  }

  /** Send what is short; the same key each time, so that it arrives once however often it is sent. */
  function whole(tried = 0) {
    const body = new FormData();
    body.append("csrfmiddlewaretoken", root.querySelector("[name=csrfmiddlewaretoken]").value);
    body.append("idempotency_key", taken.key);
    body.append("file", taken.blob, taken.name);
    request = new XMLHttpRequest();
    request.upload.onprogress = (event) => {
      part("progress").value = Math.floor((100 * event.loaded) / event.total);
    };
    request.onload = () => {
      if (ARRIVED.test(request.responseURL)) {
        taken = null;
        location.assign(request.responseURL);
      } else if (request.status >= 500) {
        broken(tried);
      } else {
        // A page that is no refusal of the media (the session ended, say) leaves it to be sent again.
        const again = request.status === 200;
        enter(again ? "offline" : "refused", "refused", window.sendInParts.told(request.responseText));
      }
    };
    request.onerror = () => broken(tried);
    request.open("POST", root.dataset.upload);
    part("progress").value = 0;
    request.send(body);
    enter("sending", tried ? "again-soon" : "sending");
  }

  function broken(tried) {
    const { key } = taken;
    if (tried >= WAITS.length) return enter("offline");
    enter("sending", "again-soon");
    return setTimeout(() => {
      if (taken?.key === key && request) whole(tried + 1);
    }, WAITS[tried]);
  }

  const acts = {
    photograph,
    film,
    stop,
    send: () => send(),
    cancel() {
      taken.upload?.end();
      taken.upload = null;
      request?.abort();
      request = null;
      enter("review");
    },
    again() {
      forget();
      open();
    },
    close() {
      close();
      forget();
      enter("closed");
    },
  };

  root.addEventListener("click", (event) => acts[event.target.closest("[data-do]")?.dataset.do]?.());
  addEventListener("beforeunload", (event) => {
    if (taken) event.preventDefault();
  });
  addEventListener("pagehide", close);
  root.hidden = false;
  open();
})();
