/**
 * Respells a prompt in the way of the training text: quotes, dashes, accents and white space, only where the vocabulary lacks them as typed
 * and has them otherwise. `generation/prompt.py` does the same.
 */

/** How quotations are printed, opened and closed; a closing single quote is also the apostrophe. */
const SINGLE_QUOTES = ["‘’", "''", "’’", "‚‘", "‹›", "›‹"];
const DOUBLE_QUOTES = ["“”", '""', "„“", "«»", "»«"];

/** What to read for a dash, the closest first. */
const DASHES = {
  "--": ["—", "–"],
  "-": ["‐", "‑", "–", "−"],
  "‐": ["-", "‑"],
  "‑": ["-", "‐"],
  "‒": ["–", "-", "—"],
  "–": ["-", "—", "‒"],
  "—": ["–", "--", "-"],
  "―": ["—", "–", "--", "-"],
  "−": ["-", "–"],
};

const SINGLE = `${[...new Set(SINGLE_QUOTES.join(""))].join("")}ʼ\`´′`;
const DOUBLE = `${[...new Set(DOUBLE_QUOTES.join(""))].join("")}″`;
const APOSTROPHES = [...new Set(SINGLE_QUOTES.map((pair) => pair[1]))];

const LONE = `${SINGLE}${DOUBLE}\\-‐‑‒–—―−`;
/** White space, a word including the apostrophes inside it, two hyphens, or a single quote or dash. */
const PIECES = new RegExp(
  `[${SPACE}]+|[^${SPACE}${LONE}]+(?:[${SINGLE}](?=[${LETTER}])[^${SPACE}${LONE}]+)*|--|[^]`,
  "gu",
);
const SPACES_IN_LINE = new RegExp(`[${SPACE.replace("\\t-\\r", "\\t\\v-\\r")}]+`, "gu");
const BEFORE_OPENING = new RegExp(`^[${SPACE}([{]?$`, "u");

/**
 * Respells a text, if that leaves fewer unknown tokens.
 *
 * @param {string} text
 * @param {Vocabulary} vocabulary of the model.
 */
function respell(text, vocabulary) {
  const unknown = vocabulary.unknown(text);
  if (unknown.size === 0) return text;
  const pieces = matches(text, PIECES);
  let before = "";
  const spellings = pieces.map((piece, index) => {
    const after = Array.from(pieces[index + 1] ?? "")[0] ?? "";
    const opens = BEFORE_OPENING.test(before) || (!ALPHANUMERIC.test(before) && ALPHANUMERIC.test(after));
    before = Array.from(piece).at(-1);
    return respellPiece(piece, vocabulary, opens);
  });
  const respelled = spellings.join("");
  return [...vocabulary.unknown(respelled)].every((token) => unknown.has(token)) ? respelled : text;
}

/** Returns the spelling of a piece with the fewest unknown tokens; one with an unknown token that was not typed does not count. */
function respellPiece(piece, vocabulary, opens) {
  let best = piece;
  let unknown = vocabulary.unknown(piece);
  if (!unknown.size) return best;
  for (const spelling of spellingsOf(piece, vocabulary, opens)) {
    const still = vocabulary.unknown(spelling);
    if (still.size < unknown.size && [...still].every((token) => unknown.has(token))) {
      best = spelling;
      unknown = still;
    }
  }
  return best;
}

/** Lists other spellings of a piece. `opens` is whether the piece, if it is a quote, opens a quotation. */
function spellingsOf(piece, vocabulary, opens) {
  if (isSpace(piece)) return [piece.replace(SPACES_IN_LINE, " ")];
  if (Object.hasOwn(DASHES, piece)) return DASHES[piece];
  const pairs = SINGLE.includes(piece) ? SINGLE_QUOTES : DOUBLE.includes(piece) ? DOUBLE_QUOTES : null;
  if (pairs) {
    // A pair of which the vocabulary has both comes first: German closes with the quote that English opens with.
    const known = pairs.map((pair) => [vocabulary.unknown(pair).size, pair]).sort(([a], [b]) => a - b);
    return known.map(([, pair]) => pair[opens ? 0 : 1]);
  }
  const typed = Array.from(piece);
  const hasApostrophes = typed.some((character) => SINGLE.includes(character));
  const changed = (apostrophe) => typed.map((each) => (SINGLE.includes(each) ? apostrophe : each)).join("");
  const words = [piece, ...(hasApostrophes ? APOSTROPHES.map(changed) : [])];
  return words.flatMap((word) => [word, word.normalize("NFC"), word.normalize("NFD")]);
}
