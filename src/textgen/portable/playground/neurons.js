/** The neuron view: the value of one unit of the network along the text, the strongest units, and the passages that excite it most. */

const PASSAGES = 6;

class NeuronsView {
  /**
   * @param {import("./backend.js").Backend} backend
   * @param {object} on
   * @param {(values: number[]) => void} on.values called with the unit's value after each token of the text
   * @param {(error: Error) => void} on.problem
   * @param {() => void} on.wanted called when a person chooses a unit, so that its colours can be shown
   */
  constructor(backend, on) {
    this.backend = backend;
    this.on = on;
    this.layer = make("select", { id: "neuron-layer" });
    this.unit = make("input", { type: "number", id: "neuron-unit", inputMode: "numeric", min: 0, step: 1, value: "0" });
    this.strongest = make("div", { className: "chips" });
    this.passages = make("div", { className: "passages" });
    this.find = make("button", { type: "button", className: "quiet" }, "Find what excites it");
    const step = (label, text, by) => {
      const button = make("button", { type: "button", className: "icon", "aria-label": label, title: label }, text);
      button.addEventListener("click", () => this.#choose((this.#unit + by + this.#units) % this.#units));
      return button;
    };
    byId("neurons").append(
      make("p", { className: "note" }, "After each token, each unit of the network has a value from −1 to +1. Some units follow something that you can recognise."),
      make(
        "div",
        { className: "unit" },
        make("label", {}, "Layer", this.layer),
        make("label", {}, "Unit", this.unit),
        step("Previous unit", "‹", -1),
        step("Next unit", "›", 1),
      ),
      make("h3", {}, "Strongest at the end of the text"),
      this.strongest,
      this.find,
      this.passages,
    );
    this.layer.addEventListener("change", () => this.#choose(0));
    this.unit.addEventListener("change", () => this.#choose(whole(this.unit, 0)));
    this.find.addEventListener("click", () => this.#findPassages());
  }

  #model = null;
  #text = "";
  #unit = 0;
  #running = new AbortController(); // of the values
  #finding = new AbortController(); // of the passages

  get #units() {
    return this.#model.details.outputs[Number(this.layer.value)];
  }

  /** @param {{id: string, details: import("./backend.js").Details}} model */
  setModel(model) {
    this.#model = model;
    this.layer.replaceChildren(...model.details.outputs.map((_, layer) => make("option", { value: String(layer) }, String(layer + 1))));
    this.layer.value = String(model.details.outputs.length - 1);
    this.find.hidden = !model.details.has_text;
    this.#show(0);
  }

  /** Asks for the values of the unit along the text. */
  async load(text) {
    this.#text = text;
    this.#running.abort();
    this.#running = new AbortController();
    const how = { signal: this.#running.signal };
    if (text === "") {
      this.strongest.replaceChildren(make("p", { className: "note" }, "Write something first."));
      return;
    }
    const request = { model: this.#model.id, text, layer: Number(this.layer.value) };
    try {
      const [{ values }, { strongest }] = await Promise.all([
        this.backend.states({ ...request, unit: this.#unit }, how),
        this.backend.states(request, how),
      ]);
      this.on.values(values);
      this.#drawStrongest(strongest);
    } catch (error) {
      this.on.problem(error);
    }
  }

  #show(unit) {
    this.#unit = unit;
    this.unit.max = String(this.#units - 1);
    this.unit.value = String(unit);
    this.#finding.abort();
    this.passages.replaceChildren();
  }

  #choose(unit) {
    this.#show(unit);
    this.on.wanted();
    this.load(this.#text);
  }

  #drawStrongest(strongest) {
    const chips = strongest.map(([unit, value]) => {
      const shown = `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
      const className = `chip ${tintOf("neuron", null, value)}`;
      const chip = make("button", { type: "button", className }, `${unit}`, make("small", {}, shown));
      chip.setAttribute("aria-label", `Unit ${unit}, value ${shown}`);
      if (unit === this.#unit) chip.setAttribute("aria-current", "true");
      chip.addEventListener("click", () => this.#choose(unit));
      return chip;
    });
    const hadFocus = this.strongest.contains(document.activeElement);
    this.strongest.replaceChildren(...chips);
    if (hadFocus) (chips.find((chip) => chip.hasAttribute("aria-current")) ?? chips[0])?.focus();
  }

  async #findPassages() {
    const unit = this.#unit;
    const layer = Number(this.layer.value);
    this.#finding.abort();
    this.#finding = new AbortController();
    const { signal } = this.#finding;
    this.passages.replaceChildren(make("p", { className: "note" }, "Reading the training text…"));
    const request = { model: this.#model.id, layer, unit, count: PASSAGES };
    try {
      const { passages } = await this.backend.passages(request, { signal });
      const heading = make("h3", {}, `What excites unit ${unit} most in the training text`);
      this.passages.replaceChildren(heading, ...passages.map((passage) => this.#passage(passage)));
    } catch (error) {
      if (signal.aborted) return;
      this.passages.replaceChildren();
      this.on.problem(error);
    }
  }

  #passage({ tokens, values }) {
    const spans = tokens.map((piece, index) => make("span", { className: tintOf("neuron", null, values[index]) }, piece));
    return make("p", { className: "passage" }, ...spans);
  }
}
