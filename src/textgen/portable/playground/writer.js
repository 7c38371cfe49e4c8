/** Has texts written, one or several at the same time, until they end, fail or are stopped. */

/** The milliseconds between two drawings of new tokens: drawing takes longer than a token, above all in a long text. */
const BETWEEN_DRAWINGS = 50;

class Writer {
  /**
   * @param {import("./backend.js").Backend} backend
   * @param {Notices} notices
   */
  constructor(backend, notices) {
    this.backend = backend;
    this.notices = notices;
    // The second click of a double click on Write falls on Stop, which has taken its place.
    byId("stop").addEventListener("click", ({ detail }) => detail !== 2 && this.stop());
  }

  /** @type {{abort: AbortController, flush: () => void, onEnd: (well: boolean) => void} | null} */
  #running = null;

  get writing() {
    return this.#running !== null;
  }

  /** Ends the writing at once: when this returns, `on.end` has been called. Returns whether anything was being written. */
  stop() {
    const { writing } = this;
    if (writing) this.#end(this.#running, true);
    return writing;
  }

  /**
   * @param {import("./backend.js").WriteRequest[]} requests
   * @param {object} on
   * @param {(index: number, tokens: import("./backend.js").Token[]) => void} on.tokens called with new tokens of a text
   * @param {(well: boolean) => void} on.end called once, when all texts have ended or been stopped (well), or one has failed
   */
  async write(requests, on) {
    this.stop();
    const waiting = requests.map(() => []);
    let timer = 0;
    const flush = () => {
      clearTimeout(timer);
      timer = 0;
      waiting.forEach((tokens, index) => tokens.length && on.tokens(index, tokens.splice(0)));
    };
    const running = { abort: new AbortController(), flush, onEnd: on.end };
    this.#running = running;
    this.notices.problem(null);
    this.notices.say("Writing…");
    this.#draw();
    const { signal } = running.abort;
    const one = (request, index) => {
      const onTokens = (tokens) => {
        if (signal.aborted) return;
        waiting[index].push(...tokens);
        timer ||= setTimeout(flush, BETWEEN_DRAWINGS);
      };
      return this.backend.write(request, { signal, onTokens });
    };
    try {
      await Promise.all(requests.map(one));
      this.#end(running, true);
    } catch (error) {
      this.#end(running, false);
      this.notices.problem(error);
    }
  }

  #end(running, well) {
    if (this.#running !== running) return;
    running.flush();
    this.#running = null;
    running.abort.abort(); // the other texts, if one has failed
    this.#draw();
    running.onEnd(well);
  }

  /** Shows the button that can be used, in the place of the other. */
  #draw() {
    const buttons = [byId("write"), byId("stop")];
    const hadFocus = buttons.includes(document.activeElement);
    buttons[0].hidden = this.writing;
    buttons[1].hidden = !this.writing;
    if (hadFocus) buttons[this.writing ? 1 : 0].focus();
  }
}

/** @returns {Written} how a text was written, for its link */
function written({ prompt, seed, temperature, topK, topP, minP }, length) {
  return { prompt, length, seed, choice: { temperature, topK, topP, minP } };
}
