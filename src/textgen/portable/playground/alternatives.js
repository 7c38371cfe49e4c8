/** The card below a token: what else the model might have written in its place; a click on an alternative continues from there. */

class AlternativesCard {
  /**
   * @param {Editor} editor
   * @param {(piece: Piece, alternative: import("./backend.js").Alternative, place: number) => void} choose
   */
  constructor(editor, choose) {
    this.editor = editor;
    this.choose = choose;
    this.card = byId("card");
    this.piece = null;
    this.pinned = false;
    this.dismissed = null;
    this.#timer = 0;
    this.card.addEventListener("pointerenter", () => clearTimeout(this.#timer));
    this.card.addEventListener("pointerleave", () => this.pinned || this.#later(null));
    this.card.addEventListener("keydown", (event) => this.#walk(event));
    // The card closes when the focus or a click goes anywhere but to the text or the card.
    const elsewhere = (target) => target && target !== editor.area && !this.card.contains(target);
    this.card.parentElement.addEventListener("focusout", ({ relatedTarget }) => elsewhere(relatedTarget) && this.hide());
    document.addEventListener("pointerdown", ({ target }) => this.open && elsewhere(target) && this.hide());
  }

  #timer;

  /**
   * @param {Piece | null} piece
   * @param {"hover" | "caret"} how
   */
  point(piece, how) {
    if (how === "hover") {
      if (piece || !this.pinned) this.#later(piece);
      return;
    }
    clearTimeout(this.#timer);
    if (piece && piece.token === this.dismissed) return;
    this.dismissed = null;
    this.#show(piece, true);
  }

  hide() {
    clearTimeout(this.#timer);
    if (this.card.contains(document.activeElement)) this.editor.area.focus({ preventScroll: true });
    this.card.hidden = true;
    this.editor.mark(null);
    this.piece = null;
    this.pinned = false;
  }

  /** Hides the card until the pointer or the cursor moves to another token. Returns whether it was open. */
  dismiss() {
    const { open } = this;
    this.dismissed = this.piece?.token ?? null;
    this.hide();
    return open;
  }

  get open() {
    return !this.card.hidden;
  }

  /** Waits a moment, so that the card does not flicker under a passing pointer, and can be reached by it. */
  #later(piece) {
    clearTimeout(this.#timer);
    if (piece && piece === this.piece) return;
    if (piece && piece.token === this.dismissed) return;
    this.#timer = setTimeout(() => this.#show(piece, false), piece && !this.piece ? 120 : this.pinned ? 400 : 260);
  }

  #show(piece, pinned) {
    if (!piece || piece.token.top.length === 0) {
      this.hide();
      return;
    }
    this.dismissed = null;
    this.piece = piece;
    this.pinned = pinned;
    this.editor.mark(piece);
    this.card.replaceChildren(this.#heading(piece), this.#list(piece));
    this.card.hidden = false;
    this.#place(piece);
  }

  #heading({ token, index }) {
    const { text, nats, rank, top } = token;
    const facts = [];
    if (index >= this.editor.read) facts.push("being read again…");
    else if (nats !== null) {
      facts.push(percent(Math.exp(-nats)));
      facts.push(rank > top.length ? `beyond ${top.length}` : `choice ${rank}`);
      facts.push(`${(nats / NATS_PER_BIT).toFixed(1)} bits`);
    }
    return make("p", { className: "facts" }, make("b", {}, visible(text)), ` ${facts.join(" · ")}`);
  }

  #list(piece) {
    const { token } = piece;
    const widest = Math.exp(-token.top[0].nats);
    const rows = token.top.map((alternative, place) => {
      const share = Math.exp(-alternative.nats);
      const written = alternative.text === token.text;
      const bar = make("span", { className: "bar-fill" });
      bar.style.setProperty("--share", (share / widest).toFixed(6));
      const label = `${spoken(alternative.text)}, ${percent(share)}${written ? ", as written" : ""}`;
      const button = make(
        "button",
        { type: "button", className: "alternative", tabIndex: place === 0 ? 0 : -1, "aria-label": label },
        bar,
        make("span", { className: "piece" }, visible(alternative.text)),
        make("span", { className: "share" }, percent(share)),
      );
      if (written) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => this.choose(piece, alternative, place));
      return make("li", {}, button);
    });
    return make("ol", { className: "alternatives" }, ...rows);
  }

  /** Puts the card below the token, or above where there is no room, and inside the field. */
  #place(piece) {
    const field = this.card.parentElement.getBoundingClientRect();
    const word = piece.span.getClientRects()[0] ?? field;
    const { offsetWidth, offsetHeight } = this.card;
    const left = Math.max(0, Math.min(word.left - field.left - 12, field.width - offsetWidth));
    const below = word.bottom + offsetHeight + 8 <= innerHeight || word.top - offsetHeight < 0;
    const top = below ? word.bottom - field.top + 2 : word.top - field.top - offsetHeight - 2;
    this.card.style.left = `${left}px`;
    this.card.style.top = `${top}px`;
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const buttons = [...this.card.querySelectorAll("button")];
    const place = buttons.indexOf(document.activeElement);
    const next = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      buttons[next]?.focus();
    }
  }
}
