// @ts-check
// Decides when a page fetches itself: one fetch at a time, and at random times during many changes, because
// all readers receive the same changes at the same moment.

import { backoff, spread } from "./jitter.js";

const SHOWN = 2_000; // ms over which fetches of visible pages are spread
const HIDDEN = 30_000; // ms over which fetches of hidden pages are spread
const FIRST = 250; // ms, doubled after each failed fetch
const LONGEST = 10_000;

export class Refetch {
  /**
   * @param {() => Promise<boolean>} fetch whether there is no need to try again
   * @param {() => number} [random] in [0, 1)
   */
  constructor(fetch, random = Math.random) {
    this.fetch = fetch;
    this.random = random;
    this.running = false;
    this.again = false; // the running fetch may have begun before the newest change
    this.failures = 0;
    this.last = -Infinity; // when a fetch began
    /** @type {ReturnType<typeof setTimeout> | undefined} a fetch that is to come */
    this.timer = undefined;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.timer !== undefined) void this.run();
    });
  }

  /** Fetches for this reader alone: at once, but for one who does so all the time. */
  now() {
    if (performance.now() - this.last < SHOWN) return this.soon();
    if (!this.taken()) void this.run();
  }

  /** Fetches at a random time within the next seconds, for what all readers are told. */
  soon() {
    if (!this.taken()) this.later(spread(document.hidden ? HIDDEN : SHOWN, this.random));
  }

  /** Whether a fetch is to come that covers what is known now. */
  taken() {
    if (this.running) this.again = true;
    return this.running || this.timer !== undefined;
  }

  /** @param {number} delay ms */
  later(delay) {
    this.timer = setTimeout(() => void this.run(), delay);
  }

  async run() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.running = true;
    this.again = false;
    this.last = performance.now();
    let fetched = false;
    try {
      fetched = await this.fetch();
    } finally {
      this.running = false;
      if (!fetched) {
        this.later(backoff(FIRST, LONGEST, this.failures++, this.random));
      } else {
        this.failures = 0;
        if (this.again) this.soon();
      }
    }
  }
}
