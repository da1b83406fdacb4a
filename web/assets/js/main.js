// @ts-check
// Starts the modules for which the page has hooks. Every page works without them.

import { start as code } from "./code.js";
import { start as editor } from "./editor.js";
import { start as fragment } from "./fragment.js";
import { start as live } from "./live.js";
import { start as theme } from "./theme.js";
import { start as toc } from "./toc.js";
import { start as upload } from "./upload.js";

// A module that fails does not stop the others.
for (const start of [theme, fragment, toc, code, editor, upload, live]) {
  try {
    start();
  } catch (error) {
    reportError(error);
  }
}

// A form that is shown again says why at its top, where the reader continues.
const first = document.querySelector("[data-focus]");
if (first instanceof HTMLElement) first.focus();
