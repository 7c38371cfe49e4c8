/** Draws what the settings do to the next token: each likely token before and after. */

const DRAWN = 12;

class DistributionView {
  constructor() {
    this.list = byId("bars");
    this.note = byId("bars-note");
    /** @type {import("./backend.js").Alternative[]} */
    this.next = [];
  }

  /** @param {import("./backend.js").Alternative[]} next the likeliest tokens after the text, likeliest first */
  show(next, choice) {
    this.next = next;
    this.draw(choice);
  }

  /** @param {import("./backend.js").Choice} choice */
  draw(choice) {
    const { next } = this;
    if (next.length === 0) {
      this.list.replaceChildren();
      this.note.textContent = "Nothing to draw yet.";
      return;
    }
    const before = next.map(({ nats }) => Math.exp(-nats));
    const after = chosenDistribution(Float64Array.from(next, ({ nats }) => -nats), { ...choice, repetitionPenalty: 1, recent: [] });
    const widest = Math.max(before[0], ...after.slice(0, DRAWN));
    this.list.replaceChildren(...next.slice(0, DRAWN).map(({ text }, place) => this.#bar(text, before[place], after[place], widest)));
    const left = after.reduce((sum, share) => sum + (share > 0 ? 1 : 0), 0);
    const all = left === next.length ? "" : ` of ${next.length}`;
    this.note.textContent = `Thin bars: the model itself. Thick bars: with these settings, which leave ${counted(left, "token")}${all}.`;
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
    row.style.setProperty("--before", String(before / widest));
    row.style.setProperty("--after", String(after / widest));
    return row;
  }
}
