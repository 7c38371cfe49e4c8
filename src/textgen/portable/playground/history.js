/** Draws the tree of versions, and lets people walk it with the pointer or the arrow keys. */

class HistoryView {
  /**
   * @param {TextTree} tree
   * @param {(where: () => Version | null) => void} move called to show another version; what is being written or typed may become a version
   *   of its own before, so where that leads is only known then
   */
  constructor(tree, move) {
    this.tree = tree;
    this.move = move;
    this.list = byId("tree");
    this.undo = byId("undo");
    this.redo = byId("redo");
    this.list.addEventListener("keydown", (event) => this.#walk(event));
    this.undo.addEventListener("click", () => move(() => tree.before));
    this.redo.addEventListener("click", () => move(() => tree.after));
    byId("branch-before").addEventListener("click", () => move(() => tree.branch(-1)));
    byId("branch-after").addEventListener("click", () => move(() => tree.branch(1)));
  }

  draw() {
    const { tree } = this;
    this.undo.disabled = !tree.before;
    this.redo.disabled = !tree.after;
    byId("branches").hidden = tree.branches.length < 2;
    byId("branch-place").textContent = `${tree.branches.indexOf(tree.current) + 1} of ${tree.branches.length}`;
    byId("branch-before").disabled = !tree.branch(-1);
    byId("branch-after").disabled = !tree.branch(1);

    const hadFocus = this.list.contains(document.activeElement);
    this.list.replaceChildren(...tree.rows().map(({ version, level }) => this.#row(version, level)));
    const current = this.list.querySelector("[aria-selected=true]");
    if (hadFocus) current.focus();
    // Scrolls the list alone, never the page.
    this.list.scrollTop = Math.max(0, current.offsetTop - this.list.clientHeight / 2);
  }

  #row(version, level) {
    const current = version === this.tree.current;
    const row = make(
      "div",
      { role: "treeitem", "aria-level": level, "aria-selected": current, tabIndex: current ? 0 : -1, className: "version" },
      make("span", { className: "how" }, version.how),
      make("span", { className: "end" }, shortened(endOf(version, 80), 80)),
    );
    row.style.setProperty("--level", String(Math.min(level - 1, 8)));
    row.addEventListener("click", () => this.move(() => version));
    return row;
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const rows = [...this.list.children];
    const place = rows.indexOf(document.activeElement);
    const next = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (next !== undefined) rows[next]?.focus();
    else if (event.key === "Enter" || event.key === " ") rows[place]?.click();
    else return;
    event.preventDefault();
  }
}
