/** Finds and makes elements, and writes text and numbers for readers. Text always becomes text, never elements. */

/**
 * @param {string} id
 * @returns {any} the element with this id
 */
function byId(id) {
  return document.getElementById(id);
}

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] properties of the element; names with a dash, and `role`, are attributes
 * @param {...(Node | string)} children
 * @returns {any} a new element
 */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, String(value));
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/**
 * @param {string} text
 * @returns {string} the text with visible spaces and line ends, for labels
 */
function visible(text) {
  return text.replaceAll(" ", "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥");
}

/**
 * @param {string} text
 * @returns {string} the text in words, for screen readers
 */
function spoken(text) {
  if (text === "") return "nothing";
  return text.replaceAll(" ", " space ").replaceAll("\n", " line break ").replaceAll("\t", " tab ").trim();
}

/**
 * @param {number} share between 0 and 1
 * @returns {string} such as "12%" or "0.3%"
 */
function percent(share) {
  const value = 100 * share;
  if (value >= 9.95) return `${Math.round(value)}%`;
  if (value >= 0.095) return `${value.toFixed(1)}%`;
  return value > 0 ? "<0.1%" : "0%";
}

/**
 * @param {string} text
 * @param {number} most
 * @returns {string} the text on one line, shortened in the middle of a word if need be
 */
function shortened(text, most) {
  const line = text.replace(/\s+/g, " ").trim();
  const characters = [...line];
  return characters.length <= most ? line : `${characters.slice(0, most - 1).join("")}…`;
}

/**
 * @param {number} count
 * @param {string} noun
 * @returns {string} such as "1 token" or "2 tokens"
 */
function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * @param {(...values: any[]) => void} call
 * @param {number} milliseconds
 * @returns {(...values: any[]) => void} a function that makes the call once no further one has been asked for during that time
 */
function debounced(call, milliseconds) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), milliseconds);
  };
}
