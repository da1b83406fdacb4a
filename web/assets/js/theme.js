// @ts-check
// Lets the reader choose between light, dark and the system's theme.

export function start() {
  const item = document.querySelector("[data-theme-control]");
  const select = item?.querySelector("select");
  if (!(item instanceof HTMLElement) || !select) return;
  const root = document.documentElement;
  select.value = root.dataset.theme ?? "";
  item.hidden = false;
  select.addEventListener("change", () => {
    if (select.value) root.dataset.theme = select.value;
    else delete root.dataset.theme;
    try {
      if (select.value) localStorage.setItem("theme", select.value);
      else localStorage.removeItem("theme");
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  });
}
