// Reads the marked parts of a page aloud, with voices of the reader's own device only: a voice that works
// elsewhere would be sent the text, and whoever runs it would learn who is asked for consent to what.
"use strict";

(() => {
  const control = document.querySelector("[data-aloud-control]");
  const speech = window.speechSynthesis;
  if (!control || !speech) return;
  const button = control.querySelector("button");
  const words = { start: button.textContent, stop: button.dataset.stop };
  const BLOCKS = "h1, h2, p, li, dt, dd, label";
  let turn = 0; // What is still under way of an earlier turn must not touch the page.
  let reading = false;

  /** What can be seen now of the marked parts: the full notice counts once it is open. */
  function blocks() {
    const found = [];
    for (const part of document.querySelectorAll("[data-aloud]")) {
      const inside = [part, ...part.querySelectorAll(BLOCKS)].filter((each) => each.matches(BLOCKS));
      for (const each of inside) {
        if (each.checkVisibility() && !each.querySelector(BLOCKS)) found.push(each);
      }
    }
    return found;
  }

  const languageOf = (element) => element.closest("[lang]").lang.toLowerCase();

  /** A voice of this device for a language, the device's own choice first; none for another Chinese. */
  function voiceFor(language) {
    const main = language.split("-")[0];
    const fitting = speech.getVoices().filter((voice) => {
      const spoken = voice.lang.toLowerCase().replace("_", "-");
      if (main === "zh") return voice.localService && /^(zh$|zh-cn|zh-hans|cmn)/.test(spoken);
      return voice.localService && spoken.split("-")[0] === main;
    });
    return fitting.find((voice) => voice.default) || fitting[0];
  }

  function offer() {
    const languages = new Set(blocks().map(languageOf));
    const able = languages.size > 0 && [...languages].every(voiceFor);
    if (!reading) control.hidden = !able;
  }

  function mark(block) {
    for (const each of document.querySelectorAll(".is-aloud")) each.classList.remove("is-aloud");
    if (!block) return;
    block.classList.add("is-aloud");
    block.scrollIntoView({ block: "nearest" });
  }

  function stop() {
    turn += 1;
    reading = false;
    speech.cancel();
    mark(null);
    button.textContent = words.start;
  }

  /** Line by line: some devices fall silent in the middle of long texts. */
  function start() {
    stop();
    const mine = turn;
    const lines = blocks().flatMap((block) =>
      block.innerText.split("\n").map((text) => ({ block, text: text.trim() })),
    ).filter(({ text }) => text);
    if (!lines.length) return;
    reading = true;
    button.textContent = words.stop;
    lines.forEach(({ block, text }, number) => {
      const said = new SpeechSynthesisUtterance(text);
      said.lang = languageOf(block);
      said.voice = voiceFor(said.lang);
      said.onstart = () => { if (turn === mine) mark(block); };
      said.onend = () => { if (turn === mine && number === lines.length - 1) stop(); };
      said.onerror = () => { if (turn === mine) stop(); };
      speech.speak(said);
    });
  }

  button.addEventListener("click", () => (reading ? stop() : start()));
  addEventListener("pagehide", stop);
  // Browsers learn of their voices late; Safari has no such event, but has them at once.
  if (speech.addEventListener) speech.addEventListener("voiceschanged", offer);
  offer();
})();
