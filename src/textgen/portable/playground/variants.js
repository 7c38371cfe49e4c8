/** Texts next to each other: several variants, or two models, on the same prompt, of which one is chosen. */

class VariantsView {
  /**
   * @param {(column: Column) => void} choose
   * @param {() => void} leave called when none is chosen
   */
  constructor(choose, leave) {
    this.choose = choose;
    this.leave = leave;
    this.section = byId("variants");
    /** @type {Column[]} */
    this.columns = [];
  }

  /**
   * @typedef {object} Column
   * @property {string} title
   * @property {import("./backend.js").WriteRequest} request
   * @property {import("./backend.js").Token[]} tokens
   * @property {HTMLElement} text
   * @property {HTMLButtonElement} button
   */

  /**
   * Opens a column for each text.
   *
   * @param {Pick<Column, "title" | "request">[]} wanted
   * @returns {Column[]}
   */
  open(wanted) {
    this.columns = wanted.map((column) => {
      const text = make("div", { className: "variant-text", tabIndex: 0, role: "group", "aria-label": column.title });
      const button = make("button", { type: "button", className: "quiet" }, "Use this one");
      button.setAttribute("aria-label", `Use this one: ${column.title}`);
      return { ...column, tokens: [], text, button };
    });
    const none = make("button", { type: "button", className: "quiet" }, "None of them");
    none.addEventListener("click", () => this.leave());
    const cards = this.columns.map((column) => {
      column.button.addEventListener("click", () => this.choose(column));
      return make("article", { className: "variant" }, make("h2", {}, column.title), column.text, column.button);
    });
    this.section.replaceChildren(make("div", { className: "columns" }, ...cards), none);
    this.section.hidden = false;
    this.section.scrollIntoView({ block: "nearest" });
    return this.columns;
  }

  /**
   * @param {Column} column
   * @param {import("./backend.js").Token[]} tokens
   * @param {View} view
   */
  append(column, tokens, view) {
    column.tokens.push(...tokens);
    column.text.append(...tokens.map((token) => make("span", { className: tintOf(view, token, undefined) }, token.text)));
  }

  /** @param {View} view */
  setView(view) {
    for (const column of this.columns) {
      column.tokens.forEach((token, index) => {
        column.text.children[index].className = tintOf(view, token, undefined);
      });
    }
  }

  /**
   * @param {Pick<Version, "tokens" | "read">} content the text that the columns continue
   * @param {string} model the one that has read it
   * @returns {Pick<Version, "tokens" | "read" | "how" | "model" | "written">[]} a version for each column
   */
  versions({ tokens: before, read }, model) {
    return this.columns.map(({ title, request, tokens }) => ({
      tokens: [...before, ...tokens],
      read: read === before.length && request.model === model ? before.length + tokens.length : 0,
      how: title,
      model: request.model,
      written: written(request, tokens.length),
    }));
  }

  close() {
    this.columns = [];
    this.section.replaceChildren();
    this.section.hidden = true;
  }
}

/**
 * @param {import("./backend.js").WriteRequest} request
 * @param {string[]} models
 * @param {number} variants the number of texts of each model
 * @returns {Pick<Column, "title" | "request">[]} the texts to write; models get the same seeds
 */
function columnsOf(request, models, variants) {
  const numbers = Array.from({ length: variants }, (_, index) => index);
  return models.flatMap((model) =>
    numbers.map((number) => ({
      title: [models.length > 1 ? model : "Variant", variants > 1 ? number + 1 : ""].join(" ").trim(),
      request: { ...request, model, seed: (request.seed + number) % MOST_SEED },
    })),
  );
}
