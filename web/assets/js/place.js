// @ts-check
// Keeps what is at the top of the window there while something above it grows or shrinks.

/**
 * Runs change and undoes what it did to the scroll position.
 * @param {Element} root what may change
 * @param {() => void} change
 */
export function keepPlace(root, change) {
  const anchors = window.scrollY < 1 ? [] : visible(root);
  change();
  const anchor = anchors.find(({ element }) => element.isConnected);
  if (!anchor) return;
  const moved = anchor.element.getBoundingClientRect().top - anchor.top;
  if (Math.abs(moved) > 0.5) window.scrollBy({ top: moved, behavior: "instant" });
}

/**
 * The blocks in the window, from the top, small ones rather than those that
 * hold them. A few are enough: the first that is still there is the anchor.
 * @param {Element} root
 */
function visible(root) {
  /** @type {{element: Element, top: number}[]} */
  const found = [];
  const height = window.innerHeight;
  /** @param {Element} parent */
  const walk = (parent) => {
    for (const child of parent.children) {
      if (found.length >= 12) return;
      const box = child.getBoundingClientRect();
      if (box.height === 0 || box.bottom <= 0 || box.top >= height) continue;
      const position = getComputedStyle(child).position;
      if (position === "sticky" || position === "fixed") continue;
      if (box.top >= 0 || child.childElementCount === 0) found.push({ element: child, top: box.top });
      else {
        walk(child);
        // A block that begins above the window has text in the window.
        found.push({ element: child, top: box.top });
      }
    }
  };
  walk(root);
  // Blocks that begin in the window are better, because others may grow above it.
  return [...found.filter((f) => f.top >= 0), ...found.filter((f) => f.top < 0)];
}
