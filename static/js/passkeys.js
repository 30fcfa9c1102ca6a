// Says why a passkey cannot be used here, instead of leaving a button that does nothing.
"use strict";

(() => {
  const notes = (name) => document.querySelectorAll(`[data-passkey-note="${name}"]`);

  function show(name) {
    for (const note of notes(name)) note.hidden = false;
  }

  function disableButtons() {
    for (const button of document.querySelectorAll("[data-passkey-button]")) button.disabled = true;
  }

  document.addEventListener("DOMContentLoaded", () => {
    // WebAuthn names a site by its domain; an IP address is none, but "localhost" is.
    const numeric = /^[\d.]+$|^\[/.test(location.hostname);
    if (numeric) {
      const there = new URL(location.href);
      there.hostname = "localhost";
      for (const link of document.querySelectorAll("[data-passkey-localhost]")) {
        link.href = there.href;
        link.textContent = there.origin;
      }
      show("domain");
      disableButtons();
    } else if (!window.PublicKeyCredential) {
      show("unsupported");
      disableButtons();
    }
  });

  // Raised by allauth's script when the person cancels, or the device refuses.
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    show("failed");
  });
})();
