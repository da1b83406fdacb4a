// @ts-check
// Shows notices about the page: one of each kind at the bottom of the window, and words for screen readers.

const box = () => /** @type {HTMLElement} */ (document.querySelector("[data-notices]"));

/**
 * Shows a notice, or replaces the one of the same kind.
 * @param {string} kind
 * @param {string} text
 * @param {{label: string, act: () => void}} [action] without text, the button is the notice
 */
export function show(kind, text, action) {
  const known = box().querySelector(`[data-notice="${kind}"]`);
  const notice = known ?? document.createElement("div");
  const signature = `${text}|${action?.label ?? ""}`;
  if (known instanceof HTMLElement && known.dataset.signature === signature) return;
  notice.removeAttribute("hidden");
  notice.className = text ? "notice" : "notice notice-act";
  notice.setAttribute("data-notice", kind);
  notice.setAttribute("data-signature", signature);
  notice.replaceChildren();
  if (text) notice.append(Object.assign(document.createElement("span"), { textContent: text }));
  if (action) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: action.label });
    if (text) button.className = "small";
    button.addEventListener("click", action.act);
    notice.append(button);
  }
  if (text) {
    // It stays, hidden, so that the same words do not appear again.
    const close = Object.assign(document.createElement("button"), { type: "button", className: "quiet small", textContent: "✕" });
    close.setAttribute("aria-label", "Dismiss");
    close.addEventListener("click", () => notice.setAttribute("hidden", ""));
    notice.append(close);
  }
  if (!known) box().append(notice);
  announce(text || action?.label || "");
}

/** @param {string} kind */
export function hide(kind) {
  box().querySelector(`[data-notice="${kind}"]`)?.remove();
}

/** @param {string} text said once, politely */
export function announce(text) {
  const region = document.querySelector("[data-announcer]");
  if (region) region.textContent = text;
}
