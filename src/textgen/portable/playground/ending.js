/** Ends a text before the first of several texts, which are not part of it. */
class Ending {
  #stops;
  #held = [];

  /** @param {string[]} stops the texts. */
  constructor(stops) {
    this.#stops = stops.filter((stop) => stop !== "");
    /** Whether the text has ended. */
    this.isReached = false;
  }

  /**
   * Takes the next token.
   *
   * @param {{text: string}} token
   * @returns {{text: string}[]} the tokens that certainly belong to the text; others are held back until the next call.
   */
  add(token) {
    this.#held.push(token);
    const text = this.#held.map((each) => each.text).join("");
    const found = this.#stops.map((stop) => text.indexOf(stop)).filter((index) => index >= 0);
    if (found.length) {
      this.isReached = true;
      return this.#release(Math.min(...found), true);
    }
    return this.#release(text.length - this.#startOfStop(text), false);
  }

  /** Returns the tokens that are held back when nothing follows. */
  finish() {
    return this.#held.splice(0);
  }

  /** Returns the length of the longest start of one of the stops with which a text ends. */
  #startOfStop(text) {
    const lengths = this.#stops.map((stop) => {
      let length = Math.min(stop.length - 1, text.length);
      while (length > 0 && !text.endsWith(stop.slice(0, length))) length--;
      return length;
    });
    return Math.max(0, ...lengths);
  }

  /** Returns the held tokens that end within the first `length` units and, if the text ends there, the start of the next one. */
  #release(length, ends) {
    const released = [];
    let left = length;
    while (this.#held.length && this.#held[0].text.length <= left) {
      left -= this.#held[0].text.length;
      released.push(this.#held.shift());
    }
    if (ends && left > 0) released.push({ ...this.#held[0], text: this.#held[0].text.slice(0, left) });
    if (ends) this.#held = [];
    return released;
  }
}
