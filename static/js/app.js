// What pages gain from scripting. Every page works without this file, except recording.
"use strict";

(() => {
  /** The language that this is written in, in the reader's own variant: en-GB for an English page. */
  function variant(element) {
    const written = element.closest("[lang]").lang;
    return navigator.languages.find((own) => own.split("-")[0] === written.split("-")[0]) || written;
  }

  const DAY = { year: "numeric", month: "short", day: "numeric" };
  const MINUTE = { ...DAY, hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
  const LOCAL = { date: { dateStyle: "long" }, seconds: { ...MINUTE, second: "2-digit" } };

  /** Times are rendered in the installation's zone; show them in the reader's, and say which that is. */
  function localTimes(root) {
    for (const time of root.querySelectorAll("time[data-local]")) {
      const moment = new Date(time.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      const options = LOCAL[time.dataset.local] || MINUTE;
      time.title = time.textContent.trim();
      time.textContent = new Intl.DateTimeFormat(variant(time), options).format(moment);
      time.removeAttribute("data-local");
    }
  }

  /** A table drawn as cards (display: block) loses its meaning for screen readers: say it again. */
  function tableRoles(root) {
    const roles = { thead: "rowgroup", tbody: "rowgroup", tr: "row", td: "cell" };
    for (const table of root.querySelectorAll("table.table:not([role])")) {
      table.setAttribute("role", "table");
      for (const [name, role] of Object.entries(roles)) {
        for (const element of table.querySelectorAll(name)) element.setAttribute("role", role);
      }
      for (const head of table.querySelectorAll("th")) {
        head.setAttribute("role", head.closest("thead") ? "columnheader" : "rowheader");
      }
    }
  }

  /** A table too wide for its box scrolls; with the keyboard only if the box can be reached by it. */
  const scrollers = new ResizeObserver((boxes) => {
    for (const { target } of boxes) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });

  function watchScrollers(root) {
    for (const box of root.querySelectorAll(".table-box")) scrollers.observe(box);
  }

  /** Buttons that need scripting are hidden until it is there. */
  function reveal(root) {
    const selector = "[data-print][hidden], [data-copy][hidden]";
    for (const button of root.querySelectorAll(selector)) button.hidden = false;
  }

  function enhance(root) {
    localTimes(root);
    tableRoles(root);
    watchScrollers(root);
    reveal(root);
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText((source.value ?? source.textContent).trim());
      button.textContent = button.dataset.copied || label;
    } catch {
      // No clipboard (plain HTTP, or refused): select the text, so that one key copies it.
      getSelection().selectAllChildren(source);
    }
    setTimeout(() => { button.textContent = label; }, 2500);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-print], [data-copy]");
    if (!button) return;
    if (button.hasAttribute("data-print")) print();
    else copy(button);
  });

  // A destructive step asks for the name of the thing. The server asks again; this only saves a trip.
  function checkName(input) {
    const right = input.value.trim() === input.dataset.confirmName;
    input.setCustomValidity(right ? "" : input.dataset.confirmMessage || input.dataset.confirmName);
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-confirm-name]")) checkName(event.target);
  });

  document.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest("button, input[type=submit]");
      for (const input of button?.form?.querySelectorAll("[data-confirm-name]") ?? []) checkName(input);
    },
    true,
  );

  // Every page holds the token once, in a form; htmx sends it as a header.
  document.addEventListener("htmx:configRequest", (event) => {
    const token = document.querySelector("input[name=csrfmiddlewaretoken]");
    if (token && event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token.value;
  });
  document.addEventListener("htmx:load", (event) => enhance(event.detail.elt));

  // After a form came back with errors, start where they are listed.
  document.addEventListener("DOMContentLoaded", () => {
    enhance(document);
    document.querySelector(".error-summary")?.focus();
  });

  // A wide window has room for the whole menu, also in browsers that cannot open it by CSS.
  const wide = matchMedia("(min-width: 60rem)");
  const unfold = () => {
    for (const menu of document.querySelectorAll("details.menu")) menu.open = wide.matches;
  };
  wide.addEventListener("change", unfold);
  unfold();
})();
