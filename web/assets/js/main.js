// @ts-check
// Starts what the page has hooks for. Every page works without any of it.

import { start as code } from "./code.js";
import { start as editor } from "./editor.js";
import { start as live } from "./live.js";
import { start as theme } from "./theme.js";
import { start as toc } from "./toc.js";
import { start as upload } from "./upload.js";

// What fails takes nothing else with it.
for (const start of [theme, toc, code, editor, upload, live]) {
  try {
    start();
  } catch (error) {
    reportError(error);
  }
}

// A form that came back says why: that is where reading goes on.
const first = document.querySelector("[data-focus]");
if (first instanceof HTMLElement) first.focus();
