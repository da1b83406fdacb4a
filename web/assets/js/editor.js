// @ts-check
// Stores a copy of the text in this browser until the server has it, and asks before the page is left with
// unsaved text.

const NAMES = ["title", "body", "description", "tags", "slug", "published_at"];
const SENT = "draft-sent"; // key in sessionStorage of the copy whose form was sent last

/** @typedef {{at: string, fields: Record<string, string>}} Copy */

export function start() {
  settle();
  const form = document.querySelector("form[data-editor]");
  if (form instanceof HTMLFormElement) new Editor(form);
}

/**
 * After a form was sent, the page that follows tells how it went: one that
 * carries data-draft-done stands for success, any other keeps the copy.
 */
function settle() {
  try {
    const sent = sessionStorage.getItem(SENT);
    if (sent === null) return;
    sessionStorage.removeItem(SENT);
    if (document.querySelector("[data-draft-done]")) localStorage.removeItem(sent);
  } catch {
    // Without storage there is no copy.
  }
}

class Editor {
  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.form = form;
    this.slot = `draft:${form.dataset.editor}`;
    this.loaded = JSON.stringify(this.read());
    // Text from a refused request is on no server.
    this.dirty = "editorKept" in form.dataset;
    this.sending = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.offer();
    this.snippets();
    form.addEventListener("input", () => this.typed());
    form.addEventListener("submit", (event) => this.send(event));
    window.addEventListener("beforeunload", (event) => {
      this.keep();
      if (this.dirty && !this.sending) event.preventDefault();
    });
    window.addEventListener("pageshow", () => (this.sending = false));
  }

  /** @returns {Record<string, string>} */
  read() {
    const data = new FormData(this.form);
    return Object.fromEntries(NAMES.map((name) => [name, String(data.get(name) ?? "").replaceAll("\r\n", "\n")]));
  }

  typed() {
    this.dirty = JSON.stringify(this.read()) !== this.loaded || "editorKept" in this.form.dataset;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), 600);
  }

  keep() {
    clearTimeout(this.timer);
    if (!this.dirty) return;
    try {
      /** @type {Copy} */
      const copy = { at: new Date().toISOString(), fields: this.read() };
      localStorage.setItem(this.slot, JSON.stringify(copy));
      this.say("Not saved yet; this browser keeps a copy.");
    } catch {
      this.say("Not saved yet, and this browser cannot keep a copy.");
    }
  }

  /** @param {SubmitEvent} event */
  send(event) {
    const button = event.submitter;
    this.keep();
    this.sending = true;
    const harmless = button instanceof HTMLButtonElement && ["preview", "upload"].includes(button.value);
    try {
      if (!harmless) sessionStorage.setItem(SENT, this.slot);
    } catch {
      // Without storage there is no copy to remove.
    }
  }

  /** Offers the copy of an earlier visit when it differs from what is here. */
  offer() {
    const box = document.querySelector("[data-draft-offer]");
    const copy = this.stored();
    if (!(box instanceof HTMLElement) || !copy) return;
    if (JSON.stringify(copy.fields) === this.loaded) return;
    const time = box.querySelector("time");
    if (time) {
      time.dateTime = copy.at;
      time.textContent = new Date(copy.at).toLocaleString(document.documentElement.lang);
    }
    box.hidden = false;
    box.querySelector("[data-draft-restore]")?.addEventListener("click", () => {
      for (const [name, value] of Object.entries(copy.fields)) {
        const control = this.form.elements.namedItem(name);
        if (control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement) control.value = value;
      }
      box.hidden = true;
      this.typed();
      const body = this.form.elements.namedItem("body");
      if (body instanceof HTMLElement) body.focus();
    });
    box.querySelector("[data-draft-discard]")?.addEventListener("click", () => {
      localStorage.removeItem(this.slot);
      box.hidden = true;
      const first = this.form.elements.namedItem("title");
      if (first instanceof HTMLElement) first.focus();
    });
  }

  /** @returns {Copy | null} */
  stored() {
    try {
      const copy = JSON.parse(localStorage.getItem(this.slot) ?? "null");
      return copy && typeof copy.at === "string" && typeof copy.fields === "object" ? copy : null;
    } catch {
      return null;
    }
  }

  /** Buttons that put a picture's Markdown where the caret is. upload.js adds more. */
  snippets() {
    const body = this.form.elements.namedItem("body");
    if (!(body instanceof HTMLTextAreaElement)) return;
    for (const button of this.form.querySelectorAll("[data-insert]")) {
      if (button instanceof HTMLElement) button.hidden = false;
    }
    this.form.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("[data-insert]") : null;
      if (!button) return;
      const text = button.parentElement?.querySelector("[data-snippet]")?.textContent ?? "";
      body.setRangeText(text, body.selectionStart, body.selectionEnd, "end");
      body.focus();
      this.typed();
    });
  }

  /** @param {string} text */
  say(text) {
    const state = this.form.querySelector("[data-draft-state]");
    if (state && state.textContent !== text) state.textContent = text;
  }
}
