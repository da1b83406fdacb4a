// @ts-check
// Marks the reader's place in the table of contents.

export function start() {
  /** @type {IntersectionObserver | null} */
  let observer = null;
  const watch = () => {
    observer?.disconnect();
    const toc = document.querySelector("[data-toc]");
    if (!toc || !("IntersectionObserver" in window)) return;
    /** @type {Map<Element, Element>} */
    const links = new Map();
    for (const link of toc.querySelectorAll("a")) {
      const heading = document.getElementById(link.getAttribute("href")?.slice(1) ?? "");
      if (heading) links.set(heading, link);
    }
    // The reader's place is the last heading above a line at a third of the window's height.
    observer = new IntersectionObserver(() => mark(links), { rootMargin: "0px 0px -67% 0px" });
    for (const heading of links.keys()) observer.observe(heading);
    mark(links);
  };
  document.addEventListener("live:merged", watch);
  watch();
}

/** @param {Map<Element, Element>} links */
function mark(links) {
  const line = window.innerHeight / 3;
  let here = null;
  for (const heading of links.keys()) {
    if (heading.getBoundingClientRect().top <= line) here = heading;
  }
  for (const [heading, link] of links) {
    if (heading === here) link.setAttribute("aria-current", "location");
    else link.removeAttribute("aria-current");
  }
}
