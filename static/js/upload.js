// A large file that was chosen is sent in parts, so that a broken connection costs little; a small one, and
// every file without scripting, goes as the form it is in.
"use strict";

(() => {
  const form = document.querySelector("form[data-uploads]");
  if (!form) return;

  const part = (name) => form.querySelector(`[data-part="${name}"]`);
  const word = (name) => form.querySelector(`[data-word="${name}"]`).textContent;
  const send = form.querySelector("button:not([data-part])");
  let upload = null;
  let begun = 0;

  /** Say how it stands; while it is being sent, there is something to stop and nothing to send. */
  function say(name, more = "", under = false) {
    part("sending").hidden = false;
    part("status").textContent = `${word(name)} ${more}`.trim();
    part("progress").hidden = part("stop").hidden = !under;
    send.disabled = form.elements.file.disabled = under;
  }

  function begin(file) {
    return window.sendInParts({
      address: form.dataset.uploads,
      token: form.elements.csrfmiddlewaretoken.value,
      blob: file,
      piece: Number(form.dataset.partBytes),
      key: `${form.elements.idempotency_key.value}-${(begun += 1)}`,
      sent(bytes) {
        part("progress").value = Math.floor((100 * bytes) / file.size);
        if (bytes) say("sending", "", true);
      },
      waiting: () => say("again-soon", "", true),
    });
  }

  form.addEventListener("submit", async (event) => {
    const file = form.elements.file.files[0];
    if (!file || file.size <= Number(form.dataset.partBytes)) return;
    event.preventDefault();
    if (upload?.blob !== file) {
      upload?.end();
      upload = begin(file);
    }
    const mine = upload;
    say("sending", "", true);
    const told = await mine.start();
    if (told.arrived) {
      upload = null;
      location.assign(told.arrived);
    } else if (told.refused) {
      if (told.refused.status !== 200) upload = null; // 200: another page, and the upload is as it was
      say("refused", window.sendInParts.told(told.refused.responseText));
    } else if (told.offline) {
      say("interrupted");
    }
  });

  part("stop").addEventListener("click", async () => {
    if (!upload) return;
    const ending = upload.end();
    upload = null;
    say((await ending) ? "stopped" : "unheard");
    send.focus();
  });
  addEventListener("beforeunload", (event) => {
    if (upload) event.preventDefault();
  });
})();
