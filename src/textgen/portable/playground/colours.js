/** Decides which tint a token gets in each view, and explains the tints in a legend and a figure. */

const NATS_PER_BIT = Math.LN2;

/** Each tint of a view: its class, its name in the legend and, where there is one, the value up to which it is used. */
const TINTS = {
  surprise: [
    { name: "s0", label: "expected", most: 0.5 },
    { name: "s1", label: "", most: 1 },
    { name: "s2", label: "", most: 2 },
    { name: "s3", label: "2 bits", most: 4 },
    { name: "s4", label: "", most: 6 },
    { name: "s5", label: "", most: 9 },
    { name: "s6", label: "a surprise", most: Infinity },
  ],
  rank: [
    { name: "s0", label: "first choice", most: 1 },
    { name: "s2", label: "2 or 3", most: 3 },
    { name: "s4", label: "4 to 10", most: 10 },
    { name: "s6", label: "beyond 10", most: Infinity },
  ],
  neuron: [
    { name: "n0", label: "−1", most: -0.7 },
    { name: "n1", label: "", most: -0.35 },
    { name: "n2", label: "", most: -0.1 },
    { name: "n3", label: "0", most: 0.1 },
    { name: "n4", label: "", most: 0.35 },
    { name: "n5", label: "", most: 0.7 },
    { name: "n6", label: "+1", most: Infinity },
  ],
  none: [],
};

/** @typedef {keyof typeof TINTS} View */

/**
 * @param {View} view
 * @param {import("./backend.js").Token} token
 * @param {number | undefined} value the value of the neuron after the token
 * @returns {string} the class of the tint; "" for none
 */
function tintOf(view, token, value) {
  const measured = view === "surprise" ? token.nats === null ? null : token.nats / NATS_PER_BIT : view === "rank" ? token.rank : value;
  if (measured === null || measured === undefined) return "";
  return TINTS[view].find((tint) => measured <= tint.most)?.name ?? "";
}

/**
 * Explains the tints of a view.
 *
 * @param {HTMLElement} list
 * @param {View} view
 * @param {boolean} withCopies whether passages copied from the training text are marked
 */
function drawLegend(list, view, withCopies) {
  const tints = TINTS[view].map((tint) => make("li", { className: `swatch ${tint.name}`, "aria-hidden": !tint.label }, tint.label));
  if (withCopies) tints.push(make("li", { className: "swatch copied" }, "in the training text"));
  list.replaceChildren(...tints);
  list.hidden = tints.length === 0;
}

/** The most unknown tokens that are named. */
const MOST_UNKNOWN = 10;

/** @param {string[]} tokens that the model does not know, in the order of the text */
function drawUnknown(place, tokens) {
  const names = [...new Set(tokens.map((token) => visible(token.trim() || token)))];
  const more = names.length > MOST_UNKNOWN ? " …" : "";
  const shown = `${names.slice(0, MOST_UNKNOWN).join(" ")}${more}`;
  place.textContent = `Unknown to the model: ${shown}. Writing respells or skips these, and the bits per character cannot be compared.`;
  place.hidden = names.length === 0;
}

/** @param {number | null} bits how well the model predicts the text: the mean surprise of its characters */
function drawFigure(place, bits) {
  place.textContent = bits === null ? "" : `${bits.toFixed(2)} bits per character`;
}
