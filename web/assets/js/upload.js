// @ts-check
// Stores a picture without leaving the editor, and shows its progress: the first half of the bar is the way to
// the server, and the second the way from there to the database. Without it the form does the same, with a
// new page.

const AWAY = "The picture could not be stored. Try again in a moment.";
const SIGNED_OUT = "You are not signed in any more. Sign in in another tab, and try again.";

/** @typedef {{stored?: number, size?: number, html?: string, position?: string, error?: string}} Line */

export function start() {
  const box = document.querySelector("[data-uploads]");
  const form = box?.closest("form");
  if (box instanceof HTMLElement && box.dataset.uploads && form) new Upload(box, form, box.dataset.uploads);
}

class Upload {
  /** @param {HTMLElement} box @param {HTMLFormElement} form @param {string} address */
  constructor(box, form, address) {
    this.box = box;
    this.address = address;
    this.busy = false;
    // This handler runs before the editor's, because the page is not left.
    form.addEventListener("submit", (event) => this.send(event), true);
  }

  /** @param {SubmitEvent} event */
  send(event) {
    const button = event.submitter;
    if (!(button instanceof HTMLButtonElement) || button.value !== "upload") return;
    const input = this.box.querySelector("input[type=file]");
    const file = input instanceof HTMLInputElement ? input.files?.[0] : null;
    if (!file) return; // the server's answer says what is missing
    event.preventDefault();
    event.stopImmediatePropagation();
    if (this.busy) return;
    this.begin();
    const body = new FormData();
    body.append("image", file);
    const request = new XMLHttpRequest();
    request.open("POST", this.address);
    request.upload.addEventListener("progress", (e) => this.show((50 * e.loaded) / (e.total || 1), "Sending…"));
    request.addEventListener("progress", () => this.stored(request));
    request.addEventListener("load", () => void this.end(request, /** @type {HTMLInputElement} */ (input)));
    for (const fault of ["error", "abort", "timeout"]) request.addEventListener(fault, () => this.fail(AWAY));
    request.send(body);
  }

  begin() {
    this.busy = true;
    const bar = this.bar();
    if (bar) bar.hidden = false;
    this.show(0, "Sending…");
  }

  /** @param {XMLHttpRequest} request */
  stored(request) {
    const line = this.last(request);
    if (line?.size) this.show(50 + (50 * (line.stored ?? 0)) / line.size, "Storing…");
  }

  /** @param {XMLHttpRequest} request @param {HTMLInputElement} input */
  async end(request, input) {
    const line = this.last(request);
    if (!line?.html) return this.fail(request.status === 401 ? SIGNED_OUT : (line?.error ?? AWAY));
    await this.follow(line.position);
    const list = this.box.querySelector("[data-upload-list]");
    if (list instanceof HTMLElement) {
      list.insertAdjacentHTML("beforeend", line.html);
      list.hidden = false;
      for (const button of list.querySelectorAll("[data-insert]")) if (button instanceof HTMLElement) button.hidden = false;
    }
    input.value = "";
    this.say("Stored.");
    this.finish();
  }

  /**
   * Makes whichever node is asked for the picture wait for it: the answer had begun
   * before it could set the cookie.
   * @param {string | undefined} position
   */
  async follow(position) {
    if (!position) return;
    try {
      await fetch(`${this.address}/seen`, { method: "POST", body: new URLSearchParams({ position }) });
    } catch {
      // The picture is stored in any case.
    }
  }

  /**
   * The last whole line of the answer so far.
   * @param {XMLHttpRequest} request @returns {Line | null}
   */
  last(request) {
    try {
      return JSON.parse(request.responseText.slice(0, request.responseText.lastIndexOf("\n")).split("\n").at(-1) ?? "");
    } catch {
      return null;
    }
  }

  /** @param {string} why */
  fail(why) {
    this.say(why);
    this.finish();
  }

  finish() {
    this.busy = false;
    const bar = this.bar();
    if (bar) bar.hidden = true;
  }

  /** @param {number} percent @param {string} doing */
  show(percent, doing) {
    const bar = this.bar();
    if (bar) bar.value = percent;
    this.say(doing);
  }

  bar() {
    const bar = this.box.querySelector("[data-upload-progress]");
    return bar instanceof HTMLProgressElement ? bar : null;
  }

  /** @param {string} text */
  say(text) {
    const state = this.box.querySelector("[data-upload-state]");
    if (state && state.textContent !== text) state.textContent = text;
  }
}
