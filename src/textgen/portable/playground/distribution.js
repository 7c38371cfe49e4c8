/** Draws what the settings do to the next token: each likely token before and after. */

const DRAWN = 12;

/** The tokens of every vocabulary that are never written: the padding and [UNK]. */
const NEVER_WRITTEN = 2;

class DistributionView {
  constructor() {
    this.list = byId("bars");
    this.note = byId("bars-note");
    /** @type {import("./backend.js").Alternative[]} */
    this.next = [];
    this.size = 0;
  }

  /**
   * @param {import("./backend.js").Alternative[]} next the likeliest tokens after the text, likeliest first
   * @param {import("./backend.js").Details} details of the model
   * @param {import("./backend.js").Choice} choice
   */
  show(next, details, choice) {
    this.next = next;
    // A model that has been trained again meanwhile can have more tokens.
    this.size = Math.max(next.length, details.vocabulary_size - NEVER_WRITTEN);
    this.draw(choice);
  }

  /** @param {import("./backend.js").Choice} choice */
  draw(choice) {
    const { next, size } = this;
    if (next.length === 0) {
      this.list.replaceChildren();
      this.note.textContent = "Nothing to draw yet.";
      return;
    }
    const before = next.map(({ nats }) => Math.exp(-nats));
    const rest = Math.max(0, 1 - before.reduce((sum, share) => sum + share, 0));
    // The tokens that are not listed are taken to be equally likely.
    const logprobs = new Float64Array(size).fill(Math.log(rest / (size - next.length)));
    logprobs.set(next.map(({ nats }) => -nats));
    const after = chosenDistribution(logprobs, choice);
    const widest = Math.max(before[0], ...after.slice(0, DRAWN));
    this.list.replaceChildren(...next.slice(0, DRAWN).map(({ text }, place) => this.#bar(text, before[place], after[place], widest)));
    const left = after.reduce((sum, share) => sum + (share > 0 ? 1 : 0), 0);
    const kept = left > next.length ? `more than ${next.length} of` : left === size ? "all" : `${left} of`;
    this.note.textContent = `Thin bars: the model itself. Thick bars: with these settings, which leave ${kept} ${counted(size, "token")}.`;
  }

  #bar(text, before, after, widest) {
    const bars = ["before", "after"].map((className) => make("span", { className }));
    const row = make(
      "li",
      { className: after > 0 ? "next" : "next out" },
      make("span", { className: "piece" }, visible(text)),
      make("span", { className: "both", "aria-hidden": "true" }, ...bars),
      make("span", { className: "share" }, after > 0 ? percent(after) : "out"),
    );
    row.style.setProperty("--before", (before / widest).toFixed(6));
    row.style.setProperty("--after", (after / widest).toFixed(6));
    return row;
  }
}
