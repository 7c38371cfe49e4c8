/**
 * Reads texts with the network, in slices between which the page can handle events.
 *
 * The states behind the last texts are kept, so that a text is not read again from its start when it is continued or changed at its end.
 */

/** The longest time in milliseconds for which the page does not respond, unless a single step takes longer. */
const SLICE = 8;

/** The number of tokens between two states that are kept. */
const TOKENS_PER_STATE = 16;

/** The most texts whose states are kept. */
const MOST_TEXTS = 8;

const resumptions = [];
const turns = new MessageChannel();
turns.port1.onmessage = () => resumptions.shift()();

/** Lets the page handle events. Unlike a timer, this takes hardly any time, even if the page is in the background. */
function takeTurns() {
  return new Promise((resolve) => {
    resumptions.push(resolve);
    turns.port2.postMessage(null);
  });
}

/** The last texts that were read. */
class Readings {
  #network;
  #kept = [];

  /** @param {Network} network */
  constructor(network) {
    this.#network = network;
  }

  /**
   * Starts to read a text.
   *
   * @param {number[]} ids its first tokens.
   * @param {number | null} top the number of alternatives of which each token needs a score; null if the tokens need none.
   * @returns {Reading} a reading that has read as many of these tokens as one of the kept ones.
   */
  start(ids, top = null) {
    const lengths = this.#kept.map((reading) => reading.commonLength(ids, top));
    const length = Math.max(0, ...lengths);
    const reading = length === 0 ? new Reading(this.#network) : this.#kept[lengths.indexOf(length)].upTo(length);
    this.#kept = [reading, ...this.#kept].slice(0, MOST_TEXTS);
    return reading;
  }
}

/** A text that is being read. Several can be, and take turns. */
class Reading {
  #network;
  #states = [null]; // after each TOKENS_PER_STATE tokens
  #state = null; // after all tokens, between slices

  /** @param {Network} network */
  constructor(network) {
    this.#network = network;
    /** The tokens that have been read. */
    this.ids = [];
    /** The scores of those that have one, results of scoreOf. */
    this.scores = [];
  }

  /** Returns the number of tokens at the start of this text that are equal to `ids` and, except for the first one, have scores if needed. */
  commonLength(ids, top) {
    let length = 0;
    while (
      length < Math.min(ids.length, this.ids.length) &&
      ids[length] === this.ids[length] &&
      (top === null || length === 0 || this.scores[length]?.most >= top)
    ) {
      length++;
    }
    return length;
  }

  /** Returns another reading of the first tokens: all, or as many as there are before a kept state. The scores of `length` tokens are kept. */
  upTo(length) {
    const copy = new Reading(this.#network);
    const isWhole = length === this.ids.length;
    const states = Math.floor(length / TOKENS_PER_STATE);
    copy.#states = this.#states.slice(0, states + 1);
    copy.#state = isWhole ? this.#state : copy.#states[states];
    copy.ids = this.ids.slice(0, isWhole ? length : states * TOKENS_PER_STATE);
    copy.scores = this.scores.slice(0, length);
    return copy;
  }

  /**
   * Calls a function again and again until it returns false, and lets the page handle events between slices.
   *
   * @param {() => boolean} step calls `read` and the network's methods.
   * @param {AbortSignal | undefined} signal ends the reading with its reason.
   * @param {() => void} between is called between slices.
   */
  async run(step, signal, between = () => {}) {
    for (let continues = true; continues; ) {
      signal?.throwIfAborted();
      continues = this.#slice(step);
      if (!continues) return;
      between();
      await takeTurns();
    }
  }

  /** Reads a token. */
  read(id) {
    this.#network.read(id);
    this.ids.push(id);
    if (this.ids.length % TOKENS_PER_STATE === 0) this.#states.push(this.#network.state());
  }

  #slice(step) {
    const end = performance.now() + SLICE;
    this.#network.restore(this.#state);
    try {
      do if (!step()) return false;
      while (performance.now() < end);
      return true;
    } finally {
      this.#state = this.#network.state();
    }
  }
}
