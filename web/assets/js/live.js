// @ts-check
// Follows the page's topics: <main data-live-topics data-cursor data-live-mode>.
// Each frame is the state of one subject, so the newest one always counts. A frame that is not enough by itself
// makes the page fetch its own address and merge the answer.

import { LiveList, parse } from "./list.js";
import { morph } from "./morph.js";
import { announce, hide, show } from "./notices.js";
import { keepPlace } from "./place.js";
import { Refetch } from "./refetch.js";
import { Socket } from "./socket.js";

/** The release that this page came from: its scripts' address has it. */
const VERSION = new URL(import.meta.url).pathname.split("/").at(-2) ?? "";

class Live {
  /** @param {HTMLElement} main */
  constructor(main) {
    this.main = main;
    this.topics = (main.dataset.liveTopics ?? "").split(",");
    this.mode = main.dataset.liveMode;
    this.newer = ""; // the server's version, when it differs from the page's
    /** @type {any[] | null} frames that came while the page was being fetched */
    this.held = null;
    /** @type {Map<string, () => void>} what a reader's hand kept from being done */
    this.undone = new Map();
    this.refetch = new Refetch(() => this.fetch());
    this.comparison = new Refetch(() => this.compare());
    const element = main.querySelector("[data-live-list]");
    this.list = element instanceof HTMLElement ? this.follow(element) : null;
    this.socket = new Socket(() => this.address(), (frame) => this.receive(frame));
    this.socket.start();
    for (const event of ["selectionchange", "focusout", "pause"]) {
      document.addEventListener(event, () => this.finish(), true);
    }
  }

  /** @param {HTMLElement} element */
  follow(element) {
    return new LiveList(element, {
      first: this.mode === "list",
      refetch: () => this.refetch.now(),
      changed: () => this.comparison.now(),
      later: (what, act) => void this.undone.set(what, act),
    });
  }

  address() {
    const url = new URL("/live", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("topics", this.topics.join(","));
    url.searchParams.set("after", this.main.dataset.cursor ?? "");
    return url.href;
  }

  /** @param {any} frame */
  receive(frame) {
    if (frame.type === "hello") return this.hello(frame);
    if (frame.type === "resync") return this.refetch.soon();
    if (this.held) {
      this.held.push(frame);
      return;
    }
    this.apply(frame);
    if (frame.cursor) this.main.dataset.cursor = frame.cursor;
    document.dispatchEvent(new CustomEvent("live:frame", { detail: frame }));
  }

  // The page retains its own cursor, because what it has missed since is still to come.
  /** @param {any} frame */
  hello(frame) {
    this.socket.heartbeat = Number(frame.heartbeat) || 0;
    if (!frame.version || frame.version === VERSION) return;
    this.newer = frame.version;
    show("version", "This site has been renewed.", { label: "Reload", act: () => location.reload() });
  }

  /** @param {any} frame */
  apply(frame) {
    if (this.mode === "refetch") return this.refetch.now();
    if (frame.type === "moved") return this.moved(frame);
    const isPost = String(frame.topic).startsWith("post:");
    if (isPost && frame.type === "change") return this.article(frame.html);
    if (isPost && frame.type === "gone") {
      return show("gone", "This post is no longer published. You can still read it here until you leave.");
    }
    if (frame.type === "change") this.list?.change(frame.id, frame.html);
    if (frame.type === "gone") this.list?.gone(frame.id);
  }

  /** @param {string} html */
  article(html) {
    const next = parse(html);
    const now = document.getElementById("article");
    if (!next || !now) return;
    hide("gone");
    this.merge(now, next);
    announce("This post has been updated");
  }

  /** @param {any} frame */
  moved(frame) {
    this.topics = this.topics.map((topic) => (topic === frame.topic ? frame.to : topic));
    this.main.dataset.liveTopics = this.topics.join(",");
    history.replaceState(history.state, "", frame.url + location.hash);
    const canonical = document.querySelector("link[rel=canonical]");
    if (canonical instanceof HTMLLinkElement) canonical.href = new URL(frame.url, canonical.href).href;
    if (frame.cursor) this.main.dataset.cursor = frame.cursor;
    this.socket.again();
  }

  /**
   * Merges next into now and keeps the reader's place; what had to be left
   * alone is tried again when the reader lets go of it.
   * @param {Element} now @param {Element} next
   */
  merge(now, next) {
    const title = now.querySelector("h1")?.textContent ?? "";
    const what = now.id;
    this.undone.delete(what);
    let left = 0;
    keepPlace(document.body, () => (left = morph(now, /** @type {Element} */ (next.cloneNode(true)))));
    // By then a newer state of the page may be there.
    if (left > 0) this.undone.set(what, now === this.main ? () => this.refetch.now() : () => this.merge(now, next));
    const changed = now.querySelector("h1")?.textContent ?? "";
    if (title && document.title.startsWith(title)) document.title = changed + document.title.slice(title.length);
    document.dispatchEvent(new CustomEvent("live:merged"));
  }

  /** Does what was left undone, once nothing is in the reader's hand. */
  finish() {
    if (this.undone.size === 0 || document.getSelection()?.isCollapsed === false) return;
    const acts = [...this.undone.values()];
    this.undone.clear();
    for (const act of acts) queueMicrotask(act);
  }

  /**
   * Fetches the page's own address and merges its <main>. Frames that come meanwhile wait:
   * they may be newer than what is fetched.
   */
  async fetch() {
    this.held = [];
    const fetched = await this.fetchSelf();
    const frames = this.held;
    this.held = null;
    for (const frame of frames) this.receive(frame);
    return fetched;
  }

  /** @returns {Promise<boolean>} whether there is no need to try again */
  async fetchSelf() {
    try {
      const response = await fetch(location.href, { cache: "no-cache", headers: { Accept: "text/html" } });
      if (response.status === 404 || response.status === 410) {
        show("gone", "What was here is no longer published.");
        return true;
      }
      if (!response.ok) return false;
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      if (this.newer && reloadOnce(this.newer)) return true;
      if (response.redirected) history.replaceState(history.state, "", response.url + location.hash);
      this.take(next);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * On a page beyond the first: tells the reader when its cards are no longer
   * the same, and leaves them where they are. It never has to be tried again.
   */
  async compare() {
    try {
      const response = await fetch(location.href, { cache: "no-cache", headers: { Accept: "text/html" } });
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      const ids = [...next.querySelectorAll("[data-live-list] > *")].map((card) => card.id);
      if (response.ok && ids.join() === this.list?.cards.map((card) => card.id).join()) return true;
    } catch {
      // It is not known, and one notice too many is better than none.
    }
    show("changed", "The list has changed.", { label: "Reload", act: () => location.reload() });
    return true;
  }

  /** @param {Document} next */
  take(next) {
    const main = next.querySelector("main");
    if (!main) return;
    this.merge(this.main, main);
    document.title = next.title;
    const topics = (this.main.dataset.liveTopics ?? "").split(",");
    const other = topics.join() !== this.topics.join();
    this.topics = topics;
    this.list?.reset();
    const element = this.main.querySelector("[data-live-list]");
    if (element instanceof HTMLElement && element !== this.list?.element) this.list = this.follow(element);
    if (other) this.socket.again();
    announce("The page has been updated");
  }
}

/**
 * Reloads for a new version, but once only for each: while a release is being
 * rolled out, the page and the socket may come from different nodes.
 * @param {string} version
 */
function reloadOnce(version) {
  try {
    if (sessionStorage.getItem("reloaded") === version) return false;
    sessionStorage.setItem("reloaded", version);
  } catch {
    return false;
  }
  location.reload();
  return true;
}

/** Follows the topics of the page, if it has any. */
export function start() {
  const main = document.querySelector("main[data-live-topics]");
  return main instanceof HTMLElement && "WebSocket" in window ? new Live(main) : null;
}
