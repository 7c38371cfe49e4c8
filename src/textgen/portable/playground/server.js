/** The backend of the served page: sends requests to the server that the page comes from. */

const TOKEN_NAME = "textgen-token";
const CONNECTION_LOST = "The connection was lost before the text was finished. Press Write to continue.";

class ServerBackend {
  #asked = null;

  async models() {
    const { data } = await this.#json("GET", "/v1/models");
    return data;
  }

  async write({ model, prompt, length, seed, temperature, topK, topP, minP, alternatives }, { signal, onTokens }) {
    const choice = { temperature, top_k: topK ?? undefined, top_p: topP, min_p: minP };
    // A character that the model does not know is no reason not to write.
    const body = { model, prompt, max_tokens: length, seed, ...choice, oov: "skip", logprobs: alternatives, stream: true };
    const response = await this.#send("POST", "/v1/completions", body, signal);
    let finishReason = null;
    let used = seed;
    for await (const event of events(response.body)) {
      if (event.error) throw new BackendError(event.error.message);
      used = event.seed ?? used;
      for (const choice of event.choices) {
        finishReason = choice.finish_reason ?? finishReason;
        const tokens = tokensOf(choice.logprobs);
        if (tokens.length) onTokens(tokens);
      }
    }
    if (finishReason === null) throw new BackendError(CONNECTION_LOST);
    return { finishReason, seed: used };
  }

  async score({ model, text, top, next }, { signal }) {
    const answer = await this.#json("POST", "/v1/score", { model, text, top, next }, signal);
    return { bitsPerCharacter: answer.bits_per_character, tokens: answer.tokens, unknown: unknownOf(answer), next: answer.next };
  }

  async states(request, { signal }) {
    return this.#json("POST", "/playground/states", request, signal);
  }

  async passages(request, { signal }) {
    return this.#json("POST", "/playground/passages", request, signal);
  }

  async copies(request, { signal }) {
    return this.#json("POST", "/playground/copies", request, signal);
  }

  async #json(method, path, body, signal) {
    return (await this.#send(method, path, body, signal)).json();
  }

  /** Sends a request; where the server wants a token, asks for it once and sends the request again. */
  async #send(method, path, body, signal) {
    for (;;) {
      const token = sessionStorage.getItem(TOKEN_NAME);
      const headers = new Headers();
      if (body !== undefined) headers.set("Content-Type", "application/json");
      if (token !== null) headers.set("Authorization", `Bearer ${token}`);
      let response;
      try {
        response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new BackendError("The server does not answer. Is it still running?");
      }
      if (response.ok) return response;
      if (response.status === 401) {
        // Another request may have asked for the token meanwhile.
        if (token === sessionStorage.getItem(TOKEN_NAME)) await this.#ask(token !== null);
        continue;
      }
      const answer = await response.json().catch(() => null);
      throw new BackendError(answer?.error?.message ?? `The server answered with status ${response.status}.`);
    }
  }

  /** Asks for the token, perhaps because the last one was refused; requests that wait for it share one dialog. */
  #ask(wasRefused) {
    this.#asked ??= new Promise((resolve) => {
      const dialog = byId("token-dialog");
      dialog.addEventListener("cancel", (event) => event.preventDefault());
      dialog.addEventListener(
        "close",
        () => {
          sessionStorage.setItem(TOKEN_NAME, byId("token").value);
          byId("token").value = "";
          this.#asked = null;
          resolve();
        },
        { once: true },
      );
      const refused = wasRefused ? "The server did not accept this token. Check it, and try again. " : "";
      byId("token-note").textContent = `${refused}The page keeps the token until you close this tab.`;
      dialog.showModal();
    });
    return this.#asked;
  }
}

/**
 * Reads server-sent events until `[DONE]`.
 *
 * @param {ReadableStream<BufferSource>} stream
 */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : new BackendError(CONNECTION_LOST);
    });
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const data = line.slice(5).trim();
      if (data === "[DONE]") return;
      yield JSON.parse(data);
    }
  }
}

/** @returns {import("./backend.js").Token[]} the tokens of a choice */
function tokensOf(logprobs) {
  return (logprobs?.tokens ?? []).map((text, index) => {
    const own = logprobs.token_logprobs[index];
    const top = Object.entries(logprobs.top_logprobs?.[index] ?? {})
      .map(([piece, logprob]) => ({ text: piece, nats: -logprob }))
      .sort((one, other) => one.nats - other.nats);
    const rank = own === null ? null : 1 + top.filter(({ nats }) => nats < -own).length;
    return { text, nats: own === null ? null : -own, rank, top: top.slice(0, 10) };
  });
}

/** @returns {string[]} the tokens that the model does not know: those without a rank, of which the first token of a text never has one */
function unknownOf({ tokens, unknown_share: share }) {
  const unknown = tokens.filter(({ rank }) => rank === null).map(({ text }) => text);
  return Math.round(share * tokens.length) < unknown.length ? unknown.slice(1) : unknown;
}

startPlayground(new ServerBackend());
