/**
 * Splits texts into tokens and joins tokens to texts, exactly as textgen's tokenizers in Python: `corpus/words.py`, `corpus/pretokenized.py`
 * and `generation/prompt.py`. A prompt is not unwrapped here.
 *
 * Python's white space, \w and combining marks are written as classes of their own, because JavaScript's \s and \w differ.
 */

/** The id of [UNK]. Like the padding, whose id is 0, it is never written. */
const UNKNOWN_ID = 1;

/** The id of the first token that is written. */
const FIRST_TOKEN_ID = 2;

const UNKNOWN_TOKEN = "[UNK]";

const SPACE = "\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const LETTER = "\\p{L}\\p{N}_";
const WORD = `[${LETTER}][${LETTER}\\p{M}\\u200c\\u200d]*`;
const BETWEEN_WORDS = `\\n|[${SPACE.replace("\\t-\\r", "\\t\\v-\\r")}]+|[^${LETTER}${SPACE}]`;

const ALL_SPACE = new RegExp(`^[${SPACE}]+$`, "u");
const NO_SPACE = new RegExp(`[^${SPACE}]+`, "gu");
const WORDS = new RegExp(`${WORD}(?:['’]${WORD})*|${BETWEEN_WORDS}`, "gu");
const WORDS_WITHOUT_MARKS = new RegExp(`[${LETTER}]+(?:['’][${LETTER}]+)*|${BETWEEN_WORDS}`, "gu");
const WORDS_AND_PUNCTUATION = new RegExp(`${WORD}|[^${LETTER}${SPACE}]`, "gu");
const ALPHANUMERIC = /[\p{L}\p{N}]/u;

/** Returns all matches of a pattern. */
function matches(text, pattern) {
  return text.match(pattern) ?? [];
}

/** Returns whether a token is white space. */
function isSpace(token) {
  return ALL_SPACE.test(token);
}

/**
 * The tokens of a model, and how a text is split into them.
 */
class Vocabulary {
  #lowercase;
  #isSpaced;
  #split;
  #ids;

  /** @param {object} content a result of Python's `Vocabulary.to_json`. */
  constructor({ tokens, tokenizer, tokenizer_version: version = 1, lowercase }) {
    this.tokens = tokens;
    this.#lowercase = lowercase;
    this.#isSpaced = tokenizer === "spaced";
    this.#split = { char: Array.from, word: (text) => matches(text, version === 1 ? WORDS_WITHOUT_MARKS : WORDS) }[tokenizer];
    this.#ids = new Map(tokens.map((token, id) => [token, id]));
  }

  /** The ids that the model reads if there is no prompt. */
  get startIds() {
    const start = this.#isSpaced ? ["."] : ["\n", "\n"];
    return start.map((token) => this.#ids.get(token) ?? FIRST_TOKEN_ID);
  }

  /** Returns a joiner that continues the text `before`. */
  joiner(before) {
    return this.#isSpaced ? PrintedJoiner.after(before) : new PlainJoiner();
  }

  /**
   * Reads a prompt, in the spelling of the vocabulary.
   *
   * @param {string} typed the prompt.
   * @returns {{text: string, ids: number[]}} the prompt as it is read, and its tokens that the model knows; all others are skipped.
   */
  readPrompt(typed) {
    const text = respell(asInFile(typed), this);
    const ids = this.#tokensOf(this.#inCase(text)).map(({ token }) => this.#ids.get(token));
    return { text, ids: ids.filter((id) => id !== undefined) };
  }

  /**
   * Splits a text into tokens without changing it; an unknown token is read as [UNK].
   *
   * @param {string} text
   * @returns {{text: string, id: number}[]} the tokens, each with its piece of the text: the token, with the white space before it if the
   *     model's tokens have none. The pieces together are the text.
   */
  splitText(text) {
    const ends = this.#endsOfUnits(text);
    const tokens = this.#tokensOf(this.#inCase(asInFile(text)));
    let start = 0;
    return tokens.map(({ token, end }, index) => {
      const stop = index === tokens.length - 1 ? text.length : ends[end - 1];
      const piece = text.slice(start, stop);
      start = stop;
      return { text: piece, id: this.#ids.get(token) ?? UNKNOWN_ID };
    });
  }

  /** Returns the distinct tokens of a text that the vocabulary lacks. */
  unknown(text) {
    const tokens = this.#tokensOf(this.#inCase(text));
    return new Set(tokens.map(({ token }) => token).filter((token) => !this.#ids.has(token)));
  }

  /** Returns a text in lower case if the model's texts are. */
  #inCase(text) {
    return this.#lowercase ? text.toLowerCase() : text;
  }

  /** Returns, for each UTF-16 unit of a text as it is read, the position in the text where the character ends of which the unit is a part. */
  #endsOfUnits(text) {
    const ends = [];
    for (const { 0: character, index } of text.matchAll(/^\ufeff|\r\n|[^]/gu)) {
      const units = this.#inCase(asInFile(character, index)).length;
      for (let unit = 0; unit < units; unit++) ends.push(index + character.length);
    }
    return ends;
  }

  /** Splits a text that is in lower case if the model is; unknown tokens of a pre-tokenized model are split more finely. */
  #tokensOf(text) {
    if (!this.#isSpaced) return withEnds(this.#split(text), 0);
    const unknown = new Set(["<unk>", this.#inCase(UNKNOWN_TOKEN)]);
    const found = [];
    for (const { 0: whole, index } of text.matchAll(NO_SPACE)) {
      if (unknown.has(whole)) {
        found.push({ token: UNKNOWN_TOKEN, end: index + whole.length });
        continue;
      }
      const finer = (parts, pattern) => parts.flatMap((part) => (this.#ids.has(part) ? [part] : matches(part, pattern)));
      found.push(...withEnds(finer(finer([whole], WORDS), WORDS_AND_PUNCTUATION), index));
    }
    return found;
  }
}

/** Returns contiguous tokens with the position of the end of each. */
function withEnds(tokens, start) {
  let end = start;
  return tokens.map((token) => ({ token, end: (end += token.length) }));
}

/** Returns a text as a text file is read: without a byte order mark, and with LF for CRLF. `index` is its place in a longer text. */
function asInFile(text, index = 0) {
  return (index === 0 ? text.replace(/^\ufeff/u, "") : text).replaceAll("\r\n", "\n");
}

/** Joins tokens that include the white space of their text. */
class PlainJoiner {
  /** Takes the next token, and returns the text that it adds. */
  add(token) {
    return token;
  }

  /** Returns an independent copy. */
  copy() {
    return this;
  }
}

const OPENING = new Set(["(", "[", "{", "“", "‘", "«", "``", "$", "£", "€", "#"]);
const CLOSING = new Set([",", ".", ";", ":", "!", "?", "...", "…", ")", "]", "}", "%", "”", "»", "''"]);
const AFTER_APOSTROPHE = new Set(["s", "t", "m", "d", "ll", "re", "ve"]);
const BEFORE_APOSTROPHE = new Set(["o", "d", "l", "m"]);
const CONTRACTION = new RegExp(`^(?:n['’]t|['’](?:${[...AFTER_APOSTROPHE].join("|")}))$`, "iu");

/** Joins tokens of pre-tokenized text with the spacing of printed English; see `PrintedJoiner` in Python. */
class PrintedJoiner {
  #previous = "";
  #apostrophed = ""; // the word before the last token, if that was an apostrophe
  #glued = true; // whether the next token follows without a space
  #inDoubleQuotes = false;
  #inSingleQuotes = false;

  /** Returns a joiner that continues a text. */
  static after(before) {
    const joiner = new PrintedJoiner();
    for (const token of matches(before, WORDS_AND_PUNCTUATION)) joiner.add(token);
    if (isSpace(before.slice(-1))) joiner.#glued = true;
    return joiner;
  }

  /** Takes the next token, and returns the text that it adds. */
  add(token) {
    const [opens, closes] = this.#place(token);
    const text = closes || this.#glued ? token : ` ${token}`;
    this.#glued = opens;
    this.#previous = token;
    return text;
  }

  /** Returns an independent copy. */
  copy() {
    const copy = new PrintedJoiner();
    copy.#previous = this.#previous;
    copy.#apostrophed = this.#apostrophed;
    copy.#glued = this.#glued;
    copy.#inDoubleQuotes = this.#inDoubleQuotes;
    copy.#inSingleQuotes = this.#inSingleQuotes;
    return copy;
  }

  /** Returns whether the next token follows this one without a space, and whether this one follows the last one so. */
  #place(token) {
    const word = this.#apostrophed;
    this.#apostrophed = "";
    if (word) {
      if (AFTER_APOSTROPHE.has(token.toLowerCase()) || BEFORE_APOSTROPHE.has(word.toLowerCase())) return [false, true];
      this.#inSingleQuotes = !this.#inSingleQuotes; // it was a quotation mark
    }
    if (token === '"') {
      this.#inSingleQuotes = false;
      this.#inDoubleQuotes = !this.#inDoubleQuotes;
      return [this.#inDoubleQuotes, !this.#inDoubleQuotes];
    }
    if (token === "'" || token === "’") {
      if (ALPHANUMERIC.test(this.#previous)) {
        this.#apostrophed = this.#previous;
        return [false, true];
      }
      this.#inSingleQuotes = token === "'" && !this.#inSingleQuotes;
      return [this.#inSingleQuotes, !this.#inSingleQuotes];
    }
    return [OPENING.has(token), CLOSING.has(token) || CONTRACTION.test(token)];
  }
}

/** Forbids punctuation and white space after white space that they never directly follow in the training text. */
class Spacing {
  #restricted;
  #allowed = new Map();

  /**
   * @param {string[]} tokens the vocabulary.
   * @param {Object<string, string[]>} afterWhiteSpace the restricted tokens that follow each white-space token in the training text.
   */
  constructor(tokens, afterWhiteSpace) {
    const ids = new Map();
    tokens.forEach((token, id) => {
      if (",.;:!?".includes(token) && token.length === 1) ids.set(token, id);
      else if (isSpace(token)) ids.set(token, id);
    });
    this.#restricted = [...ids.values()];
    const allIds = this.#restricted.length === tokens.length - FIRST_TOKEN_ID; // then they are never all forbidden
    for (const [token, id] of ids) {
      if (!isSpace(token)) continue;
      const followers = Object.hasOwn(afterWhiteSpace, token) ? afterWhiteSpace[token] : [];
      if (followers.length || !allIds) this.#allowed.set(id, new Set(followers.map((follower) => ids.get(follower))));
    }
  }

  /** Sets the logits of the tokens that may not follow the token `previous` to -Infinity, in place. */
  apply(logits, previous) {
    const allowed = this.#allowed.get(previous);
    if (allowed === undefined) return;
    for (const id of this.#restricted) if (!allowed.has(id)) logits[id] = -Infinity;
  }
}
