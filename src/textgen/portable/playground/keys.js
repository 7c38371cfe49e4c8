/** The keys that work everywhere in the page: Ctrl+Enter writes, Escape closes or stops, Ctrl+Z and Ctrl+Y walk the tree. */

/**
 * @param {object} on
 * @param {(element: Element) => boolean} on.inText whether undo belongs to the text there, and not to another field
 * @param {() => boolean} on.escape returns whether there was anything to close or to stop
 * @param {() => void} on.write
 * @param {() => void} on.undo
 * @param {() => void} on.redo
 */
function listenForKeys(on) {
  document.addEventListener("keydown", (event) => {
    const inText = () => on.inText(/** @type {Element} */ (event.target));
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    if (key === "escape") {
      if (!on.escape()) return;
    } else if (command && key === "enter") on.write();
    else if (command && key === "z" && inText()) event.shiftKey ? on.redo() : on.undo();
    else if (command && key === "y" && inText()) on.redo();
    else return;
    event.preventDefault();
  });
}
