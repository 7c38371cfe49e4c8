/**
 * Chooses the next token: the same settings in the same order as textgen's samplers in Python.
 *
 * The order is always: repetition penalty, temperature, top-k, top-p, min-p, draw. Python draws its random numbers in another way, so a
 * seed gives the same text in every browser, but not Python's text. At temperature 0, the texts are the same.
 */

/** The number of recent tokens to which the repetition penalty applies. */
const PENALISED_TOKENS = 64;

/**
 * Returns the probabilities with which the next token is drawn.
 *
 * @param {Float64Array} logprobs the log-probabilities of the tokens under the model, in nats; -Infinity forbids a token. They need not be
 *     normalised, and at least one is finite. They are not changed.
 * @param {object} [settings]
 * @param {number} [settings.temperature] at 0, the likeliest token has the probability 1.
 * @param {number | null} [settings.topK] the number of tokens to keep; null keeps all.
 * @param {number} [settings.topP] the total probability of the tokens to keep; 1 keeps all.
 * @param {number} [settings.minP] the least probability of the tokens to keep, as a fraction of the likeliest token's; 0 keeps all.
 * @param {number} [settings.repetitionPenalty] the factor for the log-probabilities of recent tokens; 1 changes nothing.
 * @param {Iterable<number>} [settings.recent] the indexes in `logprobs` of the last tokens, at most PENALISED_TOKENS.
 * @returns {Float64Array} the probabilities, 0 for a token that is never drawn.
 */
function chosenDistribution(
  logprobs,
  { temperature = 1, topK = null, topP = 1, minP = 0, repetitionPenalty = 1, recent = [] } = {},
) {
  const scores = new Float64Array(logprobs);
  if (repetitionPenalty !== 1) penaliseRecent(scores, repetitionPenalty, recent);
  if (temperature === 0) {
    const best = indexOfLargest(scores);
    return scores.fill(0).fill(1, best, best + 1);
  }
  // Beyond these limits, Python's factor in float32 would be 0 or infinite. The choice stops changing long before them.
  const factor = Math.min(Math.max(1 / temperature, 1e-30), 1e30);
  for (let i = 0; i < scores.length; i++) scores[i] *= factor;
  if (topK !== null && topK < scores.length) forbidBelow(scores, new Float64Array(scores).sort().at(-topK));
  if (topP < 1) forbidBelow(scores, leastOfNucleus(scores, topP));
  if (minP > 0) forbidBelow(scores, scores[indexOfLargest(scores)] + Math.log(minP));
  return softmax(scores);
}

/** Normalises log-probabilities, and multiplies those of the recent tokens by the penalty, in place. */
function penaliseRecent(scores, penalty, recent) {
  const total = logTotal(scores);
  for (let i = 0; i < scores.length; i++) scores[i] -= total;
  for (const index of new Set(recent)) scores[index] *= penalty;
}

/** Returns the score of the least likely token that belongs to the most likely ones with the total probability topP. */
function leastOfNucleus(scores, topP) {
  const rising = new Float64Array(scores).sort();
  const best = rising.at(-1);
  let total = 0;
  for (let i = rising.length - 1; i >= 0; i--) total += Math.exp(rising[i] - best);
  let last = rising.length - 1;
  let reached = Math.exp(rising[last] - best);
  while (last > 0 && reached < topP * total) reached += Math.exp(rising[--last] - best);
  return rising[last];
}

/** Forbids the tokens whose scores are below the least one allowed, in place. */
function forbidBelow(scores, least) {
  for (let i = 0; i < scores.length; i++) if (scores[i] < least) scores[i] = -Infinity;
}

/** Replaces scores by probabilities, in place. */
function softmax(scores) {
  const total = logTotal(scores);
  for (let i = 0; i < scores.length; i++) scores[i] = Math.exp(scores[i] - total);
  return scores;
}

/** Returns the logarithm of the sum of exp(scores). A score minus this is a log-probability. */
function logTotal(scores) {
  const best = scores[indexOfLargest(scores)];
  let total = 0;
  for (let i = 0; i < scores.length; i++) total += Math.exp(scores[i] - best);
  return best + Math.log(total);
}

/** Returns the index of the largest number; of several equal ones, the first. */
function indexOfLargest(numbers) {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] > numbers[best]) best = i;
  return best;
}

/**
 * Random numbers from a seed: sfc32 by Chris Doty-Humphrey, in the public domain, seeded with 64 bits as in his PractRand
 * (pracrand.sourceforge.net). It uses integers only, so every browser gets the same numbers.
 */
class RandomNumbers {
  #a = 0;
  #b;
  #c;
  #counter = 1;

  /** @param {number} seed a whole number from 0 to 2 ** 53 - 1. */
  constructor(seed) {
    this.#b = seed % 2 ** 32 | 0;
    this.#c = Math.floor(seed / 2 ** 32) | 0;
    for (let i = 0; i < 12; i++) this.#bits();
  }

  /** Returns the next number, uniformly distributed from 0 to below 1, with 53 random bits. */
  next() {
    const high = this.#bits() >>> 5;
    return (high * 2 ** 26 + (this.#bits() >>> 6)) / 2 ** 53;
  }

  /**
   * Draws an index.
   *
   * @param {Float64Array} probabilities those of the indexes; their sum is about 1.
   */
  draw(probabilities) {
    const drawn = this.next();
    let reached = 0;
    let last = 0;
    for (let i = 0; i < probabilities.length; i++) {
      if (probabilities[i] === 0) continue;
      reached += probabilities[i];
      last = i;
      if (drawn < reached) break;
    }
    return last; // rounding can leave the sum just below the number that was drawn
  }

  #bits() {
    const bits = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + bits) | 0;
    return bits;
  }
}
