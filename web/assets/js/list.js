// @ts-check
// Updates a live list of cards, with at most data-limit of them: pinned ones first, then the newest
// (data-order).

import { morph } from "./morph.js";
import { announce, hide, show } from "./notices.js";
import { keepPlace } from "./place.js";

/** How far down, in pixels, a reader is no longer at the top of the list. */
const SCROLLED = 200;

export class LiveList {
  /**
   * @param {HTMLElement} element
   * @param {{first: boolean, refetch: () => void, changed: () => void, later: (what: string, act: () => void) => void}} page
   */
  constructor(element, page) {
    this.element = element;
    this.page = page;
    /** @type {Map<string, HTMLElement>} cards that wait behind "N new posts" */
    this.waiting = new Map();
  }

  get limit() {
    return Number(this.element.dataset.limit) || Infinity;
  }

  /** @returns {HTMLElement[]} */
  get cards() {
    return /** @type {HTMLElement[]} */ ([...this.element.children]);
  }

  /** @param {string} id @param {string} html */
  change(id, html) {
    const card = parse(html);
    if (!card || card.id !== id) return;
    const known = this.find(id);
    if (this.waiting.has(id)) {
      this.waiting.set(id, card);
    } else if (known && known.dataset.order === card.dataset.order) {
      let left = 0;
      keepPlace(document.body, () => (left = morph(known, card)));
      if (left > 0) this.page.later(id, () => this.change(id, html));
    } else if (!this.page.first) {
      this.page.changed();
    } else if (known) {
      this.reorder(known, card);
    } else {
      this.add(card);
    }
  }

  /** @param {string} id */
  gone(id) {
    if (this.waiting.delete(id)) this.offer();
    const known = this.find(id);
    if (!this.page.first) {
      this.page.changed();
    } else if (known) {
      keepPlace(document.body, () => known.remove());
      announce("A post was removed");
      this.settle();
    }
  }

  /** @param {HTMLElement} card */
  add(card) {
    if (this.belongsFurtherBack(card)) {
      this.element.setAttribute("data-more", "");
    } else if (window.scrollY > SCROLLED) {
      this.waiting.set(card.id, card);
      this.offer();
    } else {
      keepPlace(document.body, () => this.insert(card));
      announce(`${pinned(card) ? "Pinned" : "New"} post: ${title(card)}`);
      this.settle();
    }
  }

  /** @param {HTMLElement} known @param {HTMLElement} card */
  reorder(known, card) {
    keepPlace(document.body, () => {
      morph(known, card);
      known.remove();
      this.insert(known);
    });
    // The card may have moved to the next page, and that page's first one to this page.
    if (this.element.lastElementChild === known && this.element.hasAttribute("data-more")) this.page.refetch();
    this.settle();
  }

  /** @param {HTMLElement} card */
  insert(card) {
    this.element.insertBefore(card, this.cards.find((other) => before(card, other)) ?? null);
  }

  /** Says how many entries wait, or nothing. */
  offer() {
    const count = this.waiting.size;
    if (count === 0) return hide("new");
    show("new", "", { label: count === 1 ? "1 new post" : `${count} new posts`, act: () => this.take() });
  }

  /** Puts in what waited and goes there. */
  take() {
    const cards = [...this.waiting.values()];
    this.waiting.clear();
    hide("new");
    for (const card of cards) if (!this.find(card.id)) this.insert(card);
    this.settle();
    const first = this.cards.find((card) => cards.includes(card));
    first?.querySelector("a")?.focus({ preventScroll: true });
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    window.scrollTo({ top: 0, behavior: calm ? "instant" : "smooth" });
  }

  /** Makes the length right, and what the page says about its list. */
  settle() {
    // Only the server knows the total that the page shows.
    let outdated = document.querySelector("[data-live-total]") !== null;
    while (this.cards.length > this.limit) {
      const last = this.element.lastElementChild;
      keepPlace(document.body, () => last?.remove());
      this.element.setAttribute("data-more", "");
      // The card that was removed has to be on another page, if there is a link to one.
      outdated ||= document.querySelector("main [rel=next]") === null;
    }
    outdated ||= this.cards.length < this.limit && this.element.hasAttribute("data-more");
    if (outdated) this.page.refetch();
    const empty = document.querySelector("[data-live-empty]");
    if (empty instanceof HTMLElement) empty.hidden = this.cards.length > 0;
  }

  /** Drops what waited: the page was fetched anew and has it. */
  reset() {
    this.waiting.clear();
    hide("new");
  }

  /** @param {HTMLElement} card */
  belongsFurtherBack(card) {
    const { cards } = this;
    const last = cards.at(-1);
    const full = this.element.hasAttribute("data-more") || cards.length >= this.limit;
    return last !== undefined && full && before(last, card);
  }

  /** @param {string} id */
  find(id) {
    return this.cards.find((card) => card.id === id);
  }
}

/**
 * Whether a stands before b: by data-order, as text, then by id; the larger first.
 * @param {HTMLElement} a @param {HTMLElement} b
 */
function before(a, b) {
  const [left, right] = [a.dataset.order ?? "", b.dataset.order ?? ""];
  return left === right ? number(a) > number(b) : left > right;
}

/** @param {HTMLElement} card */
const number = (card) => Number(card.id.replace(/^post-/, ""));

/** @param {HTMLElement} card */
const title = (card) => card.querySelector("a")?.textContent ?? "";

/** @param {HTMLElement} card */
const pinned = (card) => card.dataset.order?.startsWith("pinned") ?? false;

/** @param {string} html @returns {HTMLElement | null} */
export function parse(html) {
  const element = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
  return element ? /** @type {HTMLElement} */ (document.importNode(element, true)) : null;
}
