/** The link that writes the same text again: model, the text before the last writing, its seed and its settings, after the `#`. */

/**
 * @typedef {object} Linked
 * @property {string} model empty for any
 * @property {string} prompt
 * @property {number} length tokens to write; 0 if a person wrote the end of the text
 * @property {number} seed
 * @property {import("./backend.js").Choice} choice
 */

const LINK_NAMES = { temperature: "temperature", topK: "top_k", topP: "top_p", minP: "min_p" };

/** The choice of tokens that a link need not name. */
const PLAIN_CHOICE = { temperature: 1, topK: null, topP: 1, minP: 0 };

/**
 * @param {Version} version
 * @returns {string} the link's part from the `#` on
 */
function hashOf(version) {
  const parts = new URLSearchParams({ model: version.model });
  const { written } = version;
  parts.set("text", written ? written.prompt : textOf(version));
  if (written) {
    parts.set("length", String(written.length));
    parts.set("seed", String(written.seed));
    for (const [name, key] of Object.entries(LINK_NAMES)) {
      if (written.choice[name] !== PLAIN_CHOICE[name]) parts.set(key, String(written.choice[name]));
    }
  }
  return `#${parts}`;
}

/** Puts the link of a version into the address bar. */
function showLink(version) {
  history.replaceState(null, "", hashOf(version));
}

/**
 * @param {string} hash
 * @returns {Linked | null} what the link asks for; null if it is not such a link
 */
function readHash(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const prompt = parts.get("text");
  if (prompt === null) return null;
  const number = (key, otherwise, most, least = 0) => {
    const value = Number(parts.get(key) ?? "");
    return parts.get(key) && value >= least && value <= most ? value : otherwise;
  };
  return {
    model: parts.get("model") ?? "",
    prompt: prompt.replace(/\r\n?/g, "\n"), // as the field has it
    length: Math.floor(number("length", 0, 4000)),
    seed: Math.floor(number("seed", 0, MOST_SEED - 1)),
    choice: {
      temperature: number("temperature", PLAIN_CHOICE.temperature, 2),
      topK: number("top_k", PLAIN_CHOICE.topK, 1e6, 1),
      topP: number("top_p", PLAIN_CHOICE.topP, 1, 0.001),
      minP: number("min_p", PLAIN_CHOICE.minP, 1),
    },
  };
}

/**
 * Copies the link of a version, and puts it into the address bar.
 *
 * @param {Version} version
 * @param {Notices} notices
 */
async function copyLink(version, notices) {
  showLink(version);
  try {
    await navigator.clipboard.writeText(location.href);
    notices.say("Link copied.");
  } catch {
    notices.say("The link is in the address bar.");
  }
}
