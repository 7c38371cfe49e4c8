/**
 * Arithmetic on vectors. Products with matrices take nearly all the time of a step.
 *
 * The weights of a matrix are therefore stored in panels: the rows of four outputs, interleaved, so that the innermost loop reads memory in
 * order and has four independent sums.
 */

const LAYER_NORM_EPSILON = 1e-5;

/**
 * Adds the product of a vector and a matrix to a vector.
 *
 * @param {Float32Array} panels a result of makePanels.
 * @param {Float32Array} x the vector.
 * @param {Float32Array} sums the vector to which the product is added; its length is a multiple of 4.
 */
function addProduct(panels, x, sums) {
  const size = x.length;
  let at = 0;
  for (let k = 0; k < sums.length; k += 4) {
    let a = sums[k];
    let b = sums[k + 1];
    let c = sums[k + 2];
    let d = sums[k + 3];
    for (let j = 0; j < size; j++) {
      const value = x[j];
      a += panels[at] * value;
      b += panels[at + 1] * value;
      c += panels[at + 2] * value;
      d += panels[at + 3] * value;
      at += 4;
    }
    sums[k] = a;
    sums[k + 1] = b;
    sums[k + 2] = c;
    sums[k + 3] = d;
  }
}

/**
 * Arranges a matrix for addProduct.
 *
 * @param {Float32Array} matrix `(rows, columns)`: a row for each number of the vector, a column for each number of the product.
 * @param {number} rows
 * @param {number} columns if this is no multiple of 4, columns of zeros are added.
 */
function makePanels(matrix, rows, columns) {
  const panels = new Float32Array(rows * Math.ceil(columns / 4) * 4);
  for (let column = 0; column < columns; column++) {
    const start = (column >> 2) * 4 * rows + (column & 3);
    for (let row = 0; row < rows; row++) panels[start + 4 * row] = matrix[row * columns + column];
  }
  return panels;
}

/** Returns a vector with zeros up to a multiple of 4 numbers. */
function padded(vector) {
  const longer = new Float32Array(Math.ceil(vector.length / 4) * 4);
  longer.set(vector);
  return longer;
}

/** Writes scale * (a - mean(a)) / sqrt(variance(a) + epsilon) + offset to `result`, which may be a. */
function normalise(a, scale, offset, result) {
  const size = a.length;
  let mean = 0;
  for (let k = 0; k < size; k++) mean += a[k];
  mean /= size;
  let variance = 0;
  for (let k = 0; k < size; k++) variance += (a[k] - mean) ** 2;
  const factor = 1 / Math.sqrt(variance / size + LAYER_NORM_EPSILON);
  for (let k = 0; k < size; k++) result[k] = (a[k] - mean) * factor * scale[k] + offset[k];
}

/** The logistic function. */
function sigmoid(z) {
  return 1 / (1 + Math.exp(-z));
}

/** The hyperbolic tangent, in half the time of Math.tanh, and exact to far more digits than float32 has. */
function tanh(z) {
  return 1 - 2 / (1 + Math.exp(2 * z));
}
