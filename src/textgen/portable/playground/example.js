/** The text of a new page, whose colours show a newcomer what the page is for. */

const EXAMPLE = "It was a dark and stormy night, and the captain said";

/** Above this many bits per character, a model writes other texts than English prose. */
const MOST_BITS_OF_EXAMPLE = 2.5;

/**
 * @param {import("./backend.js").Backend} backend
 * @param {string} model
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether the model writes such texts
 */
async function suitsExample(backend, model, signal) {
  const score = await backend.score({ model, text: EXAMPLE, top: 0, next: 0 }, { signal }).catch(() => null);
  return score?.unknown.length === 0 && score.bitsPerCharacter <= MOST_BITS_OF_EXAMPLE;
}
