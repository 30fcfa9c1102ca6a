// The film beside its strips: fetched when it is asked for, in memory only, and gone with the page.
"use strict";

(() => {
  const box = document.querySelector("[data-film]");
  if (!box) return;
  const whole = Number(box.dataset.film); // seconds from the left end of a strip to its right end
  const form = box.querySelector("form");
  const button = form.querySelector("button");
  const film = box.querySelector("video");
  const strips = [...document.querySelectorAll("[data-strip]")];
  const words = button.textContent;
  const lines = [];

  function show(selector, visible) {
    for (const element of box.querySelectorAll(selector)) element.hidden = !visible;
  }

  /** Where the film is, in a strip whose columns are parts of it. */
  function line(strip) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const { width, height } = strip.viewBox.baseVal;
    made.setAttribute("class", "now");
    made.setAttribute("width", 1);
    made.setAttribute("height", height);
    lines.push({ made, width });
    strip.append(made);
  }

  function move() {
    for (const { made, width } of lines) {
      made.setAttribute("x", Math.min(film.currentTime / whole, 1) * (width - 1));
    }
  }

  function go(seconds) {
    film.currentTime = Math.max(0, Math.min(seconds, film.duration || whole));
  }

  /** The times in the table become buttons; the strips are for the mouse, and the film has keys of its own. */
  function connect() {
    for (const strip of strips) {
      line(strip);
      strip.addEventListener("click", (event) => {
        const { left, width } = strip.getBoundingClientRect();
        go(((event.clientX - left) / width) * whole);
      });
    }
    for (const cell of document.querySelectorAll("[data-at]")) {
      const made = document.createElement("button");
      made.type = "button";
      made.className = "button-link";
      made.textContent = cell.textContent;
      made.addEventListener("click", () => go(Number(cell.dataset.at)));
      cell.replaceChildren(made);
    }
    film.addEventListener("timeupdate", move);
    film.addEventListener("seeking", move);
    move();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    button.textContent = button.dataset.opening;
    show("[data-trouble]", false);
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
      if (!answer.ok) throw new Error(String(answer.status));
      const address = URL.createObjectURL(await answer.blob());
      addEventListener("pagehide", () => URL.revokeObjectURL(address));
      await new Promise((resolve, reject) => {
        film.addEventListener("loadeddata", resolve, { once: true });
        film.addEventListener("error", reject, { once: true });
        film.src = address;
      });
    } catch {
      show("[data-trouble]", true);
      button.disabled = false;
      button.textContent = words;
      return;
    }
    show("[data-before]", false);
    show("video, [data-playing]", true);
    connect();
    film.focus();
  });
})();
