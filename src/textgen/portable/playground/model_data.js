/** Reads the model inside the page, which `portable/html_file.py` writes. */

/**
 * Reads the weights.
 *
 * @param {string} base64 all tensors, one after the other, as little-endian float16 numbers in base64.
 * @param {[string, number][]} tensors the name and the number of weights of each tensor, in order.
 * @returns {function(string): Float32Array} returns a tensor by its name.
 */
function readWeights(base64, tensors) {
  const halves = new Uint16Array(bytesOf(base64).buffer);
  const numbers = numbersOfHalves();
  const starts = new Map();
  let start = 0;
  for (const [name, size] of tensors) {
    starts.set(name, [start, start + size]);
    start += size;
  }
  return (name) => Float32Array.from(halves.subarray(...starts.get(name)), (half) => numbers[half]);
}

/** Decodes base64, in parts, because the text of all bytes would need much memory. */
function bytesOf(base64) {
  const part = 2 ** 20; // a multiple of 4 characters, which are 3 bytes
  const padding = base64.endsWith("==") ? 2 : Number(base64.endsWith("="));
  const bytes = new Uint8Array((base64.length / 4) * 3 - padding);
  let at = 0;
  for (let start = 0; start < base64.length; start += part) {
    const text = atob(base64.slice(start, start + part));
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
  }
  return bytes;
}

/** Returns the number for each of the 65,536 float16 patterns. */
function numbersOfHalves() {
  return Float32Array.from({ length: 2 ** 16 }, (_, bits) => {
    const sign = bits >> 15 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) / 1024;
    return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15)); // none is infinite
  });
}
