// Runs before the first paint and is no module for that reason: a theme that
// the reader has chosen must not flash. theme.js lets them choose.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // No storage, no choice: the system's theme holds.
  }
})();
