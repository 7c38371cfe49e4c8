/** Keeps every version of the text in a tree, so that undo never loses a branch. */

/**
 * @typedef {object} Version
 * @property {import("./backend.js").Token[]} tokens their texts are the text
 * @property {number} read the number of them that the model has read in this text
 * @property {string} how what made this version, such as "Wrote 200 tokens"
 * @property {string} model the model that read the tokens
 * @property {Written | null} written how the end of the text was written; null if a person wrote it
 * @property {Version | null} parent
 * @property {Version[]} children
 * @property {Version | null} last the child that was visited last
 *
 * @typedef {object} Written
 * @property {string} prompt the text before
 * @property {number} length the number of tokens that were written
 * @property {number} seed
 * @property {import("./backend.js").Choice} choice
 */

/** @param {Pick<Version, "tokens">} version */
function textOf(version) {
  return version.tokens.map((token) => token.text).join("");
}

/**
 * @param {Version} version
 * @param {number} most
 * @returns {string} the last characters of the text
 */
function endOf(version, most) {
  let end = "";
  for (let index = version.tokens.length - 1; index >= 0 && end.length < most; index -= 1) end = version.tokens[index].text + end;
  return [...end].slice(-most).join("");
}

class TextTree {
  /** @param {() => void} onChange called after each change and each move */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {Version} */
    this.root = { tokens: [], read: 0, how: "Empty page", model: "", written: null, parent: null, children: [], last: null };
    this.current = this.root;
  }

  /**
   * Adds a version below the current one.
   *
   * @param {Pick<Version, "tokens" | "read" | "how" | "model" | "written">} made
   * @param {{move?: boolean}} [how] whether it becomes the current one
   * @returns {Version}
   */
  add(made, { move = true } = {}) {
    const version = { ...made, parent: this.current, children: [], last: null };
    this.current.children.push(version);
    if (move) this.go(version);
    else this.onChange();
    return version;
  }

  /** @param {Version} version */
  go(version) {
    this.current = version;
    for (let below = version; below.parent; below = below.parent) below.parent.last = below;
    this.onChange();
  }

  /** @returns {Version | null} where undo leads */
  get before() {
    return this.current.parent;
  }

  /** @returns {Version | null} where redo leads: the branch that was visited last */
  get after() {
    return this.current.last ?? this.current.children.at(-1) ?? null;
  }

  /** @returns {Version[]} the current version and its alternatives, oldest first */
  get branches() {
    return this.current.parent?.children ?? [this.current];
  }

  /**
   * @param {number} step
   * @returns {Version | null} the branch that many places after the current one
   */
  branch(step) {
    return this.branches[this.branches.indexOf(this.current) + step] ?? null;
  }

  /**
   * Lists the versions as they are drawn: each below its parent; only branches are indented, by the number of branchings before them.
   *
   * @returns {{version: Version, level: number}[]}
   */
  rows() {
    const rows = [];
    const waiting = [{ version: this.root, level: 1 }];
    while (waiting.length) {
      const row = waiting.pop();
      rows.push(row);
      const level = row.level + (row.version.children.length > 1 ? 1 : 0);
      waiting.push(...row.version.children.map((version) => ({ version, level })).reverse());
    }
    return rows;
  }
}
