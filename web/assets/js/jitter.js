// @ts-check
// Computes how long to wait before something is tried again. After a failover all readers have lost the same
// server at the same moment, so each waits for a random time.

/**
 * A backoff: between half of what it would be without chance and all of it.
 * @param {number} first ms, doubled at each attempt that failed @param {number} last ms
 * @param {number} attempt from 0 @param {() => number} [random] in [0, 1)
 */
export function backoff(first, last, attempt, random = Math.random) {
  return Math.min(last, first * 2 ** attempt) * (0.5 + random() / 2);
}

/**
 * Between nothing and most, for many who were sent away by the same event.
 * @param {number} most ms @param {() => number} [random] in [0, 1)
 */
export function spread(most, random = Math.random) {
  return most * random();
}
