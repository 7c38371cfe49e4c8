/** The field: a text area over a backdrop that draws the same text again, a tinted element for each token. */

/**
 * @typedef {object} Piece a token in the field
 * @property {import("./backend.js").Token} token
 * @property {HTMLSpanElement} span
 * @property {number} start its first position in the text
 * @property {number} index
 * @property {number | undefined} value of the neuron after it
 * @property {boolean} copied
 */

class Editor {
  /**
   * @param {object} on
   * @param {() => void} on.edit called after a person has changed the text
   * @param {(piece: Piece | null, how: "hover" | "caret") => void} on.point called when the pointer or the cursor reaches another token
   */
  constructor(on) {
    this.on = on;
    this.area = byId("text");
    this.backdrop = byId("backdrop");
    /** @type {Piece[]} */
    this.pieces = [];
    this.text = "";
    /** The number of tokens that the model has read in this text; those after them have the tints of before an edit. */
    this.read = 0;
    /** @type {View} */
    this.view = "surprise";
    this.#placed = 0;
    this.#bySpan = new WeakMap();
    this.marked = null;
    // As a text area does, the backdrop then has a line of its own after a final line break.
    this.end = make("br");
    this.backdrop.append(this.end);
    this.area.addEventListener("input", () => this.#typed());
    this.area.addEventListener("pointermove", (event) => event.pointerType === "mouse" && this.#hovered(event));
    this.area.addEventListener("pointerleave", () => on.point(null, "hover"));
    this.area.addEventListener("click", (event) => this.on.point(this.#under(event), "caret"));
    this.area.addEventListener("keyup", (event) => {
      if (/^(Arrow|Home|End|Page)/.test(event.key)) this.on.point(this.atCaret(), "caret");
    });
  }

  #placed; // the number of pieces whose place is known
  #bySpan;

  get tokens() {
    return this.pieces.map((piece) => piece.token);
  }

  /** @returns {Pick<Version, "tokens" | "read">} the text, for a version */
  get content() {
    return { tokens: this.tokens, read: this.read };
  }

  get isRead() {
    return this.read === this.pieces.length;
  }

  /** Appends tokens to the text. The cursor stays where it is, or at the end. */
  append(tokens) {
    if (!tokens.length) return;
    const follows = this.#endIsVisible();
    if (this.isRead) this.read += tokens.length;
    const pieces = tokens.map((token) => this.#piece(token));
    this.pieces.push(...pieces);
    this.end.before(...pieces.map((piece) => piece.span));
    this.text += tokens.map((token) => token.text).join("");
    this.#write();
    if (follows) this.showEnd();
  }

  /**
   * Shows other tokens; elements of tokens that stay are kept.
   *
   * @param {import("./backend.js").Token[]} tokens
   * @param {number} [read] the number of them that the model has read in this text
   */
  show(tokens, read = tokens.length) {
    this.read = read;
    const old = this.pieces;
    let before = 0;
    const least = Math.min(old.length, tokens.length);
    while (before < least && old[before].token.text === tokens[before].text) before += 1;
    let after = 0;
    while (after < least - before && old.at(-1 - after).token.text === tokens.at(-1 - after).text) after += 1;
    const made = tokens.slice(before, tokens.length - after).map((token) => this.#piece(token));
    for (const piece of old.slice(before, old.length - after)) piece.span.remove();
    const rest = old.slice(old.length - after);
    (rest[0]?.span ?? this.end).before(...made.map((piece) => piece.span));
    this.pieces = [...old.slice(0, before), ...made, ...rest];
    this.#placed = Math.min(this.#placed, before);
    this.pieces.forEach((piece, index) => {
      if (piece.token === tokens[index]) return;
      piece.token = tokens[index];
      this.#tint(piece);
    });
    this.text = tokens.map((token) => token.text).join("");
    this.#write();
  }

  /** @param {View} view */
  setView(view) {
    this.view = view;
    this.pieces.forEach((piece) => this.#tint(piece));
  }

  /** @param {number[]} values of a neuron, one for each token */
  setValues(values) {
    this.pieces.forEach((piece, index) => {
      piece.value = values[index];
      if (this.view === "neuron") this.#tint(piece);
    });
  }

  /** @param {{start: number, end: number}[]} copies passages in code points, in order */
  setCopies(copies) {
    let place = 0;
    let next = 0;
    for (const piece of this.pieces) {
      const end = place + [...piece.token.text].length;
      while (next < copies.length && copies[next].end <= place) next += 1;
      const copied = next < copies.length && copies[next].start < end;
      if (copied !== piece.copied) {
        piece.copied = copied;
        this.#tint(piece);
      }
      place = end;
    }
  }

  /** Outlines one token, or none. */
  mark(piece) {
    this.marked?.span.classList.remove("marked");
    piece?.span.classList.add("marked");
    this.marked = piece;
  }

  /** @returns {Piece | null} the token after the cursor */
  atCaret() {
    this.#place();
    const caret = this.area.selectionStart;
    let low = 0;
    let high = this.pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle].start <= caret) low = middle + 1;
      else high = middle;
    }
    return caret < this.text.length ? this.pieces[low - 1] ?? null : null;
  }

  /** Puts the cursor behind the text. */
  focusEnd() {
    this.area.focus({ preventScroll: true });
    this.area.setSelectionRange(this.text.length, this.text.length);
  }

  /** Scrolls the page so that the end of the text can be seen. */
  showEnd() {
    const below = this.end.getBoundingClientRect().bottom - (innerHeight - this.#barHeight());
    if (below > 0) scrollBy(0, below);
  }

  #barHeight() {
    return byId("write").closest(".bar").offsetHeight + 24;
  }

  #endIsVisible() {
    const { bottom } = this.end.getBoundingClientRect();
    return bottom > 0 && bottom <= innerHeight - this.#barHeight() + 40;
  }

  #piece(token) {
    const piece = { token, span: make("span", {}, token.text), start: 0, index: 0, value: undefined, copied: false };
    this.#bySpan.set(piece.span, piece);
    this.#tint(piece);
    return piece;
  }

  #tint(piece) {
    const names = [tintOf(this.view, piece.token, piece.value)];
    if (piece.copied) names.push("copied");
    if (piece === this.marked) names.push("marked");
    piece.span.className = names.join(" ").trim();
  }

  #place() {
    const { pieces } = this;
    for (let index = this.#placed; index < pieces.length; index += 1) {
      const before = pieces[index - 1];
      pieces[index].start = before ? before.start + before.token.text.length : 0;
      pieces[index].index = index;
    }
    this.#placed = pieces.length;
  }

  #write() {
    const { area } = this;
    if (area.value === this.text) return;
    const { selectionStart, selectionEnd, value } = area;
    const atEnd = selectionStart === value.length;
    area.value = this.text;
    if (document.activeElement !== area) return; // some browsers would move the focus
    if (atEnd) area.setSelectionRange(this.text.length, this.text.length);
    else area.setSelectionRange(selectionStart, selectionEnd);
  }

  /** Keeps the tokens before and after an edit; those after it wait to be scored again. */
  #typed() {
    const { value } = this.area;
    const old = this.text;
    const least = Math.min(old.length, value.length);
    let before = 0;
    while (before < least && old[before] === value[before]) before += 1;
    let after = 0;
    while (after < least - before && old.at(-1 - after) === value.at(-1 - after)) after += 1;
    this.#place();
    const { pieces } = this;
    let first = 0;
    while (first < pieces.length && pieces[first].start + pieces[first].token.text.length <= before) first += 1;
    let last = pieces.length;
    while (last > first && pieces[last - 1].start >= old.length - after) last -= 1;
    const start = pieces[first]?.start ?? old.length;
    const end = value.length - (old.length - (pieces[last]?.start ?? old.length));
    const middle = value.slice(start, end);
    const kept = pieces.slice(0, first).map((piece) => piece.token);
    const rest = pieces.slice(last).map((piece) => piece.token);
    this.show([...kept, ...(middle ? [unread(middle)] : []), ...rest], Math.min(this.read, first));
    this.on.edit();
  }

  #hovered(event) {
    this.on.point(this.#under(event), "hover");
  }

  #under(event) {
    const span = document.elementsFromPoint(event.clientX, event.clientY).find((element) => this.#bySpan.has(element));
    if (!span) return null;
    this.#place();
    return this.#bySpan.get(span);
  }
}

/**
 * @param {string} text
 * @returns {import("./backend.js").Token} a text that no model has read yet
 */
function unread(text) {
  return { text, nats: null, rank: null, top: [] };
}
