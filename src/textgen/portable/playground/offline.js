/** The backend of the page without a server: the model inside the page, in plain JavaScript. */

/** The strongest units that `states` lists. */
const MOST_UNITS = 12;

class OfflineBackend {
  #content;
  #vocabulary;
  #spacing;
  #network;
  #readings;

  /**
   * @param {object} content what `portable/html_file.py` writes about the model.
   * @param {string} weights its weights, in base64.
   */
  constructor(content, weights) {
    this.#content = content;
    this.#vocabulary = new Vocabulary(content.vocabulary);
    this.#spacing = content.after_white_space === null ? null : new Spacing(this.#vocabulary.tokens, content.after_white_space);
    this.#network = new Network(content.shape, readWeights(weights, content.tensors));
    this.#readings = new Readings(this.#network);
  }

  /** Lists the only model. */
  async models() {
    return [{ id: this.#content.name, details: this.#content.details }];
  }

  /**
   * Writes a text. Without a prompt, it starts as after a blank line.
   *
   * @param {any} request as in backend.js; and with `repetitionPenalty`, and `stop`, the texts before which the text ends, if need be.
   * @param {{signal?: AbortSignal, onTokens?: (tokens: import("./backend.js").Token[]) => void}} [how]
   * @returns {Promise<{finishReason: string, seed: number}>} why the text ended, `length` or `stop`; and its seed.
   */
  async write(request, { signal, onTokens } = {}) {
    const prompt = this.#vocabulary.readPrompt(request.prompt);
    const prefix = prompt.ids.length ? prompt.ids : this.#vocabulary.startIds;
    const joiner = this.#vocabulary.joiner(prompt.ids.length ? prompt.text : "");
    const seed = request.seed ?? crypto.getRandomValues(new Uint32Array(1))[0];
    const random = new RandomNumbers(seed);
    const ending = new Ending([request.stop ?? []].flat());
    const reading = this.#readings.start(prefix);
    let written = [];
    const deliver = () => {
      if (written.length) onTokens?.(written);
      written = [];
    };
    let left = request.length;
    const step = () => {
      if (reading.ids.length < prefix.length) {
        reading.read(prefix[reading.ids.length]);
        return true;
      }
      if (!(left >= 1)) return false;
      left--;
      const logits = this.#network.logits();
      const id = random.draw(chosenDistribution(this.#allowed(logits, reading.ids), choiceOf(request, reading.ids)));
      const score = scoreOf(logits, id, request.alternatives);
      written.push(...ending.add({ ...this.#describe(score, joiner), text: joiner.add(this.#vocabulary.tokens[id]) }));
      reading.scores[reading.ids.length] = score;
      reading.read(id);
      return !ending.isReached;
    };
    await reading.run(step, signal, deliver);
    written.push(...ending.finish());
    deliver();
    return { finishReason: ending.isReached ? "stop" : "length", seed };
  }

  /**
   * Scores a text, as `TextGenerator.score` does in Python: it is not respelled, and unknown tokens are read as [UNK].
   *
   * @param {{text: string, top?: number, next?: number}} request
   * @param {{signal?: AbortSignal}} [how]
   */
  async score({ text, top = 5, next = 0 }, { signal } = {}) {
    const tokens = this.#vocabulary.splitText(text);
    const ids = tokens.map(({ id }) => id);
    const reading = this.#readings.start(ids, top);
    const step = () => {
      const at = reading.ids.length;
      if (at === ids.length) return false;
      if (at > 0) reading.scores[at] ??= scoreOf(this.#network.logits(), ids[at], top);
      reading.read(ids[at]);
      return true;
    };
    await reading.run(step, signal);
    const joiner = this.#vocabulary.joiner("");
    let nats = 0;
    let characters = 0;
    const scored = tokens.map(({ text: piece, id }, index) => {
      const score = index === 0 ? null : reading.scores[index];
      const token = { text: piece, ...this.#describe(score, joiner, top) };
      joiner.add(this.#vocabulary.tokens[id]);
      nats += score?.nats ?? 0;
      characters += index === 0 ? 0 : Array.from(piece).length;
      return token;
    });
    return {
      bitsPerCharacter: characters ? nats / Math.LN2 / characters : null,
      tokens: scored,
      unknown: tokens.filter(({ id }) => id === UNKNOWN_ID).map(({ text: piece }) => piece),
      next: await this.#next(text, ids, next, signal),
    };
  }

  /**
   * Returns the values of a unit behind each token of a text or, without a unit, those of the strongest units behind the text.
   *
   * @param {{text: string, layer: number, unit?: number}} request
   * @param {{signal?: AbortSignal}} [how]
   * @returns {Promise<{values?: number[], strongest?: [number, number][]}>}
   */
  async states({ text, layer, unit }, { signal } = {}) {
    const ids = this.#vocabulary.splitText(text).map(({ id }) => id);
    const output = this.#network.output(layer);
    if (unit === undefined) {
      let strongest = [];
      if (ids.length === 0) return { strongest };
      await this.#behind(ids, signal, () => {
        strongest = Array.from(output, (value, index) => [index, value]);
      });
      strongest.sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
      return { strongest: strongest.slice(0, MOST_UNITS) };
    }
    const reading = new Reading(this.#network);
    const values = [];
    const step = () => {
      if (values.length === ids.length) return false;
      reading.read(ids[values.length]);
      values.push(output[unit]);
      return true;
    };
    await reading.run(step, signal);
    return { values };
  }

  /** Lists the likeliest tokens behind a text; behind an empty one, those with which a text starts. */
  async #next(text, ids, count, signal) {
    if (count === 0) return [];
    const joiner = this.#vocabulary.joiner(ids.length ? text : "");
    let found = [];
    await this.#behind(ids.length ? ids : this.#vocabulary.startIds, signal, () => {
      const score = scoreOf(this.#network.logits(), 0, count);
      found = this.#describe(score, joiner).top.map((token, index) => ({ ...token, id: score.ids[index] }));
    });
    return found;
  }

  /** Calls a function when the network has read a text. */
  async #behind(ids, signal, use) {
    const reading = this.#readings.start(ids);
    const step = () => {
      if (reading.ids.length < ids.length) {
        reading.read(ids[reading.ids.length]);
        return true;
      }
      use();
      return false;
    };
    await reading.run(step, signal);
  }

  /** Returns a copy of logits with -Infinity for the tokens that are never written after a text. */
  #allowed(logits, ids) {
    const allowed = new Float64Array(logits);
    allowed.fill(-Infinity, 0, FIRST_TOKEN_ID);
    this.#spacing?.apply(allowed, ids.at(-1));
    return allowed;
  }

  /** Returns the score of a token and its alternatives as the page expects them; see backend.js. */
  #describe(score, joiner, most = Infinity) {
    if (score === null) return { nats: null, rank: null, top: [] };
    const top = Array.from(score.ids.slice(0, most), (id, index) => ({
      text: joiner.copy().add(this.#vocabulary.tokens[id]),
      nats: score.top[index],
    }));
    return { nats: score.nats, rank: score.rank, top };
  }
}

/**
 * Scores a token.
 *
 * @param {Float32Array} logits those of the token's place.
 * @param {number} id the token.
 * @param {number} most the number of likeliest tokens to list; the padding and [UNK] are never listed.
 * @returns {{nats: number, rank: number | null, ids: number[], top: number[], most: number}} its surprise in nats, its rank, and the likeliest tokens
 *     with theirs.
 */
function scoreOf(logits, id, most) {
  const total = logTotal(logits);
  const ids = [];
  let rank = 1;
  for (let other = FIRST_TOKEN_ID; other < logits.length; other++) {
    if (logits[other] > logits[id]) rank++;
    if (ids.length === most && (most === 0 || logits[other] <= logits[ids[most - 1]])) continue;
    if (ids.length === most) ids.pop();
    let place = ids.length;
    while (place > 0 && logits[ids[place - 1]] < logits[other]) place--;
    ids.splice(place, 0, other);
  }
  return { nats: total - logits[id], rank: id < FIRST_TOKEN_ID ? null : rank, ids, top: ids.map((other) => total - logits[other]), most };
}

/** Returns the settings of chosenDistribution; a setting that is missing or null changes nothing. */
function choiceOf({ temperature, topK, topP, minP, repetitionPenalty }, ids) {
  return {
    temperature: temperature ?? 1,
    topK: topK ?? null,
    topP: topP ?? 1,
    minP: minP ?? 0,
    repetitionPenalty: repetitionPenalty ?? 1,
    recent: ids.slice(-PENALISED_TOKENS),
  };
}
