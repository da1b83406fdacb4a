// @ts-check
// Makes an element of the page equal to a new one, and changes nothing else. It matches children by id and by
// equality (the longest common subsequence of both lists), and the others by position and tag. It does not
// change what a reader uses: the value of a focused control, an opened <details>, a selection, media that
// play. It ignores nodes with data-script, which another script of the site has added.

/** Longest lists, as the product of their lengths, that are compared in full. */
const COMPARED = 4_000_000;

/**
 * @param {Element} from the living element
 * @param {Element} to what it should be; may be of another document, is used up
 * @returns {number} how many nodes differ and were left alone
 */
export function morph(from, to) {
  const state = { left: 0, selection: selected(from) };
  element(from, to, state);
  return state.left;
}

/** @typedef {{left: number, selection: Range | null}} State */

/**
 * The selected range if it is in root and not empty.
 * @param {Element} root
 */
function selected(root) {
  const selection = root.ownerDocument.getSelection();
  if (!selection || selection.isCollapsed || selection.rangeCount === 0) return null;
  const range = selection.getRangeAt(0);
  return range.intersectsNode(root) ? range : null;
}

/** @param {Element} from @param {Element} to @param {State} state */
function element(from, to, state) {
  if (from.isEqualNode(to)) return;
  const held = from === from.ownerDocument.activeElement && from.matches("input, textarea, select");
  if (!playing(from)) attributes(from, to, held);
  if (held || playing(from)) {
    state.left++;
    return;
  }
  if (from instanceof HTMLTextAreaElement) {
    // Its text is only its default value, so what was typed stays.
    if (from.defaultValue !== to.textContent) from.defaultValue = to.textContent ?? "";
    return;
  }
  children(from, to, state);
}

/** @param {Element} from @param {Element} to @param {boolean} held */
function attributes(from, to, held) {
  const kept = /** @param {string} name */ (name) =>
    (name === "open" && from.localName === "details") ||
    (held && (name === "value" || name === "checked" || name === "type"));
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !kept(name)) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value && !kept(name)) from.setAttribute(name, value);
  }
}

/** @param {Element} from @param {Element} to @param {State} state */
function children(from, to, state) {
  const old = [...from.childNodes].filter((n) => !scripted(n));
  const next = [...to.childNodes].filter((n) => !scripted(n));
  const pairs = match(old, next);
  const spare = new Set(old.filter((n) => !pairs.has(n)));
  const byNext = new Map([...pairs].map(([a, b]) => [b, a]));

  const wanted = new Set(next.filter((n) => n instanceof Element && n.id && !byNext.has(n)).map(key));

  /** @type {Node | null} */
  let at = old[0] ?? null;
  for (const node of next) {
    let twin = byNext.get(node);
    if (!twin) {
      twin = take(node, spare, at);
      if (twin) spare.delete(twin);
    }
    if (!twin) {
      from.insertBefore(from.ownerDocument.importNode(node, true), at);
      continue;
    }
    while (at && at !== twin && spare.has(at)) {
      const gone = at;
      at = following(at);
      if (!wanted.has(key(gone)) && spare.delete(gone)) remove(gone, state);
    }
    if (twin === at) at = following(at);
    else move(from, twin, at);
    update(twin, node, state);
  }
  for (const node of spare) remove(node, state);
}

/**
 * Which old node stays for which new one: equal ends first, then the longest
 * common subsequence of what is between them.
 * @param {Node[]} old @param {Node[]} next @returns {Map<Node, Node>}
 */
function match(old, next) {
  const a = old.map(key);
  const b = next.map(key);
  const pairs = new Map();
  let start = 0;
  let [m, n] = [a.length, b.length];
  for (; start < m && start < n && a[start] === b[start]; start++) pairs.set(old[start], next[start]);
  for (; m > start && n > start && a[m - 1] === b[n - 1]; m--, n--) pairs.set(old[m - 1], next[n - 1]);
  const [rows, columns] = [m - start, n - start];
  if (rows === 0 || columns === 0 || rows * columns > COMPARED) return pairs;

  const width = columns + 1;
  const longest = new Uint32Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      longest[i * width + j] = a[start + i] === b[start + j]
        ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (a[start + i] === b[start + j]) pairs.set(old[start + i++], next[start + j++]);
    else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i++;
    else j++;
  }
  return pairs;
}

/** @param {Node} node what makes it the same as another: its id, else all that it is */
function key(node) {
  if (!(node instanceof Element)) return `${node.nodeType}:${node.nodeValue}`;
  if (node.id) return `${node.localName}#${node.id}`;
  if (!node.matches("details, :has(details, [data-script])")) return node.outerHTML;
  const copy = /** @type {Element} */ (node.cloneNode(true));
  copy.removeAttribute("open");
  for (const box of copy.querySelectorAll("details[open]")) box.removeAttribute("open");
  for (const own of copy.querySelectorAll("[data-script]")) own.remove();
  return copy.outerHTML;
}

/**
 * A left-over node for a new one without a twin: by id wherever it is, else
 * the next of the same kind before the next one that stays.
 * @param {Node} node @param {Set<Node>} spare @param {Node | null} at
 */
function take(node, spare, at) {
  if (node instanceof Element && node.id) {
    for (const other of spare) if (key(other) === key(node)) return other;
    return undefined;
  }
  for (let other = at; other && spare.has(other); other = following(other)) {
    if (other.nodeName === node.nodeName && !(other instanceof Element && other.id)) return other;
  }
  return undefined;
}

/** @param {Node} twin @param {Node} node @param {State} state */
function update(twin, node, state) {
  if (twin instanceof Element) return element(twin, /** @type {Element} */ (node), state);
  if (twin.nodeValue === node.nodeValue) return;
  if (state.selection?.intersectsNode(twin)) state.left++;
  else twin.nodeValue = node.nodeValue;
}

/** @param {Node} node @param {State} state */
function remove(node, state) {
  if (state.selection?.intersectsNode(node) || playing(node) || node.contains(document.activeElement)) state.left++;
  else node.parentNode?.removeChild(node);
}

/** @param {Element} parent @param {Node} node @param {Node | null} before */
function move(parent, node, before) {
  // moveBefore, where the browser has it, preserves focus, scrolling and media.
  if ("moveBefore" in parent) /** @type {any} */ (parent).moveBefore(node, before);
  else parent.insertBefore(node, before);
}

/** @param {Node} node */
function playing(node) {
  if (!(node instanceof Element)) return false;
  return [node, ...node.querySelectorAll("audio, video")].some((m) => m instanceof HTMLMediaElement && !m.paused);
}

/** @param {Node} node */
const scripted = (node) => node instanceof Element && node.hasAttribute("data-script");

/** @param {Node} node */
function following(node) {
  let next = node.nextSibling;
  while (next && scripted(next)) next = next.nextSibling;
  return next;
}
