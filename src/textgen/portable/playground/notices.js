/** Says what happened, in a line that screen readers announce, and what went wrong. */

class Notices {
  /** @param {string} text */
  say(text) {
    byId("status").textContent = text;
  }

  /** @param {Error | null} error null removes the last one; what was stopped on purpose is no problem */
  problem(error) {
    if (error?.name === "AbortError") return;
    if (error && !(error instanceof BackendError)) console.error(error);
    byId("problem").hidden = error === null;
    byId("problem").textContent = error === null ? "" : error instanceof BackendError ? error.message : `The page failed: ${error.message}`;
  }
}
