/** Shows what a model made of the token under the pointer, or of the one to which the arrow keys have moved. */

const { temperatures, models, tokens } = JSON.parse(document.getElementById("scores").textContent);
const text = document.getElementById("scored");
const card = document.getElementById("token");
const spans = [...text.children];
const indexOf = new Map(spans.map((span, index) => [span, index]));
let shown = -1;

/** Returns an element with a text, or with other elements in it. */
function make(tag, ...content) {
  const element = document.createElement(tag);
  element.append(...content);
  return element;
}

/** Returns a piece of the text with its white space made visible. */
function visible(piece) {
  return piece.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/^ | $/g, "␣");
}

function percent(share) {
  return share >= 0.0995 ? `${(100 * share).toFixed(0)}%` : share >= 0.0001 ? `${(100 * share).toPrecision(2)}%` : "<0.01%";
}

function describe([bits, otherBits, rank]) {
  if (bits === null) return "The first token is not predicted.";
  const all = [[models[0], bits], [models[1], otherBits]].filter(([name, value]) => name !== undefined && value !== null);
  const parts = all.map(([name, value]) => `${models.length > 1 ? `${name}: ` : ""}${value.toFixed(2)} bits, ${percent(2 ** -value)}`);
  return [...parts, ...(rank === null ? [] : [`choice ${rank}`])].join(" · ");
}

function table(top, written) {
  const head = make("tr", make("th", "token"), ...temperatures.map((value) => make("th", String(value))));
  const rows = top.map(([piece, ...shares]) => {
    const name = make("th", visible(piece));
    name.scope = "row";
    const row = make("tr", name, ...shares.map((share) => make("td", percent(share))));
    if (piece === written) row.setAttribute("aria-current", "true");
    return row;
  });
  for (const cell of head.children) cell.scope = "col";
  return make("table", make("caption", "Likeliest here, by temperature"), make("thead", head), make("tbody", ...rows));
}

function show(index) {
  if (index === shown || !spans[index]) return;
  spans[shown]?.classList.remove("marked");
  shown = index;
  spans[index].classList.add("marked");
  const top = tokens[index][3] ?? [];
  const facts = make("p", describe(tokens[index]));
  card.replaceChildren(make("h2", visible(spans[index].textContent)), facts, ...(top.length ? [table(top, spans[index].textContent)] : []));
}

text.addEventListener("pointerover", ({ target }) => indexOf.has(target) && show(indexOf.get(target)));
text.addEventListener("click", ({ target }) => indexOf.has(target) && show(indexOf.get(target)));
text.addEventListener("keydown", (event) => {
  const next = { ArrowRight: shown + 1, ArrowLeft: Math.max(shown - 1, 0), Home: 0, End: spans.length - 1 }[event.key];
  if (next === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  show(next);
  spans[shown].scrollIntoView({ block: "nearest" });
});
