// Applies the theme that the reader has chosen. It is no module, so that it runs before the first paint and
// another theme does not flash. Readers choose with theme.js.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage there is no choice, and the system's theme is used.
  }
})();
