/**
 * Defines what the page expects of a backend: the server, or the model inside an offline file.
 *
 * @typedef {{text: string, nats: number}} Alternative a token that could have been written
 *
 * @typedef {object} Token
 * @property {string} text its piece of the text
 * @property {number | null} nats its surprise; null for the first token of a text, which nothing predicts
 * @property {number | null} rank 1 for the likeliest token; `top.length + 1` for any that is not in `top`
 * @property {Alternative[]} top the likeliest tokens in its place, likeliest first
 *
 * @typedef {object} Details
 * @property {boolean} one_character whether each token is a character
 * @property {number} vocabulary_size
 * @property {number[]} outputs the number of units of each layer
 * @property {boolean} has_text whether the training text is at hand, so that `passages` and `copies` work
 *
 * @typedef {object} Choice how tokens are chosen
 * @property {number} temperature
 * @property {number | null} topK null keeps all tokens
 * @property {number} topP 1 keeps all
 * @property {number} minP 0 keeps all
 *
 * @typedef {Choice & {model: string, prompt: string, length: number, seed: number, alternatives: number}} WriteRequest
 *
 * @typedef {object} Backend
 * @property {() => Promise<{id: string, details: Details}[]>} models
 * @property {(request: WriteRequest, how: {signal: AbortSignal, onTokens: (tokens: Token[]) => void})
 *   => Promise<{finishReason: string, seed: number}>} write skips what the model does not know
 * @property {(request: {model: string, text: string, top: number, next: number}, how: {signal: AbortSignal})
 *   => Promise<{bitsPerCharacter: number | null, tokens: Token[], unknown: string[], next: Alternative[]}>} score also lists the tokens that the
 *   model does not know
 * @property {(request: {model: string, text: string, layer: number, unit?: number}, how: {signal: AbortSignal})
 *   => Promise<{values?: number[], strongest?: [number, number][]}>} states without a unit: the strongest ones after the text
 * @property {(request: {model: string, layer: number, unit: number}, how: {signal: AbortSignal})
 *   => Promise<{passages: {text: string, values: number[], tokens: string[], peak: number}[]}>} [passages]
 * @property {(request: {model: string, text: string}, how: {signal: AbortSignal})
 *   => Promise<{copies: {start: number, end: number}[]}>} [copies] passages of the training text, in code points
 */

/** A failure that the page shows; its message is written for readers. */
class BackendError extends Error {}
