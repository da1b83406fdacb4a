// @ts-check
// Scrolls to the heading that a fragment means when no element has it as id: the fragment may have the
// prefix of headings or not, be in another case, or be what another program made of the heading's text.

export function start() {
  window.addEventListener("hashchange", follow);
  follow();
}

function follow() {
  let id = location.hash.slice(1);
  try {
    id = decodeURIComponent(id).normalize("NFC");
  } catch {
    // A fragment that cannot be decoded stays as it is.
  }
  if (!id || document.getElementById(id)) return;
  const bare = id.replace(/^h-/, "");
  const slug = bare
    .toLowerCase()
    .replace(/['’]/g, "")
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
  const found = [`h-${bare}`, bare, `h-${slug}`, slug].find((id) => document.getElementById(id)?.matches(".prose *"));
  if (found) location.replace(`#${encodeURIComponent(found)}`);
}
