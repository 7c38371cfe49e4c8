/** The controls for how tokens are chosen, and for how many: each explains itself in a few words. */

const TOP_K = [1, 2, 3, 5, 8, 12, 20, 40, 80, 160, null];

/** The sliders: from their positions to values. */
const SLIDERS = [
  {
    name: "temperature",
    label: "Temperature",
    help: "Low is safe, high is bold.",
    min: 0,
    max: 40,
    value: (position) => position / 20,
    position: (value) => Math.round(value * 20),
    shown: (value) => value.toFixed(2),
  },
  {
    name: "topK",
    label: "Top-k",
    help: "Keep only this many of the likeliest tokens.",
    min: 0,
    max: TOP_K.length - 1,
    value: (position) => TOP_K[position],
    position: (value) => {
      const place = TOP_K.findIndex((k) => k !== null && value !== null && k >= value);
      return place < 0 ? TOP_K.length - 1 : place;
    },
    shown: (value) => (value === null ? "off" : String(value)),
  },
  {
    name: "topP",
    label: "Top-p",
    help: "Keep the likeliest tokens up to this total share.",
    min: 1,
    max: 40,
    value: (position) => position / 40,
    position: (value) => Math.max(1, Math.round(value * 40)),
    shown: (value) => (value >= 1 ? "off" : percent(value)),
  },
  {
    name: "minP",
    label: "Min-p",
    help: "Drop tokens below this share of the likeliest one.",
    min: 0,
    max: 40,
    value: (position) => position / 80,
    position: (value) => Math.round(value * 80),
    shown: (value) => (value > 0 ? percent(value) : "off"),
  },
];

/** The temperature at first, which is that of `textgen-sample`. */
const USUAL_TEMPERATURE = 0.8;

const MOST_VARIANTS = 4;
const MOST_SEED = 2 ** 32;

class Settings {
  /** @param {() => void} onChange called when the choice of tokens changes */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {import("./backend.js").Choice} */
    this.choice = { ...PLAIN_CHOICE, temperature: USUAL_TEMPERATURE };
    this.#sliders = new Map();
    this.length = this.#number("length", 1, 4000, "tokens");
    this.seed = this.#number("seed", 0, MOST_SEED - 1, "new each time");
    this.again = make("button", { type: "button", className: "quiet", hidden: true });
    this.again.addEventListener("click", () => {
      this.seed.value = this.#used;
      this.again.hidden = true;
      this.seed.focus();
    });
    byId("settings").append(
      ...SLIDERS.map((slider) => this.#slider(slider)),
      make("div", { className: "numbers" }, this.#labelled("Length", this.length), this.#labelled("Seed", this.seed)),
      this.again,
      this.#variantChoice(),
    );
  }

  #sliders;
  #used = "";

  /** @returns {number} the seed that was typed, or a new one */
  nextSeed() {
    return this.seed.value === "" ? Math.floor(Math.random() * MOST_SEED) : whole(this.seed, 0);
  }

  /** Offers the seed of a text for the next one. */
  used(seed) {
    this.#used = String(seed);
    this.again.textContent = `Use seed ${seed} again`;
    this.again.hidden = this.seed.value === this.#used;
  }

  get count() {
    return whole(this.length, 200);
  }

  get variants() {
    return Number(byId("settings").querySelector("input[name=variants]:checked").value);
  }

  /** @param {import("./backend.js").Choice} choice */
  show(choice) {
    for (const slider of SLIDERS) this.#sliders.get(slider.name)(choice[slider.name]);
    this.choice = { ...choice };
    this.onChange();
  }

  #slider({ name, label, help, min, max, value, position, shown }) {
    const id = `setting-${name}`;
    const input = make("input", { type: "range", id, min, max, step: 1, "aria-describedby": `${id}-help` });
    const output = make("output", { htmlFor: id });
    const draw = () => {
      output.textContent = shown(this.choice[name]);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    const set = (given) => {
      input.value = String(position(given));
      this.choice[name] = given;
      draw();
    };
    this.#sliders.set(name, set);
    set(this.choice[name]);
    input.addEventListener("input", () => {
      this.choice[name] = value(Number(input.value));
      draw();
      this.onChange();
    });
    return make(
      "div",
      { className: "slider" },
      make("label", { htmlFor: id }, label),
      output,
      input,
      make("p", { className: "note", id: `${id}-help` }, help),
    );
  }

  #number(name, min, max, placeholder) {
    return make("input", { type: "number", id: `setting-${name}`, inputMode: "numeric", min, max, step: 1, placeholder });
  }

  #labelled(label, input) {
    return make("label", {}, label, input);
  }

  #variantChoice() {
    const choices = Array.from({ length: MOST_VARIANTS }, (_, index) =>
      make(
        "label",
        {},
        make("input", { type: "radio", name: "variants", value: String(index + 1), checked: index === 0 }),
        make("span", {}, String(index + 1)),
      ),
    );
    return make("fieldset", { className: "choice" }, make("legend", {}, "Variants side by side"), ...choices);
  }
}

/** @returns {number} the whole number in a field, within its limits */
function whole(input, otherwise) {
  const value = Math.floor(Number(input.value));
  if (input.value === "" || !Number.isFinite(value)) return otherwise;
  return Math.min(Number(input.max), Math.max(Number(input.min), value));
}
