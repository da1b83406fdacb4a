// @ts-check
// Adds a button to each block of code that copies the code.

export function start() {
  if (!navigator.clipboard) return;
  equip();
  document.addEventListener("live:merged", equip);
}

function equip() {
  for (const figure of document.querySelectorAll(".prose .code")) {
    if (figure.querySelector(":scope > .copy")) continue;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
    button.setAttribute("data-script", "");
    button.addEventListener("click", () => void copy(figure, button));
    figure.append(button);
  }
}

/** @param {Element} figure @param {HTMLElement} button */
async function copy(figure, button) {
  try {
    await navigator.clipboard.writeText(figure.querySelector("pre")?.textContent ?? "");
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}
