/**
 * One step of the LSTM: token ids in, logits of the next token out. `planning/cells.py` has the equations.
 *
 * The four gates of a state are next to each other, in one panel of the matrices; see `vectors.js`.
 */

/** The most numbers in a table that is made only for speed. */
const MOST_TABLE_NUMBERS = 2 ** 24;

/**
 * The network of a model, with the state of one text.
 */
class Network {
  #state;
  #layers = [];
  #inputs = []; // the first layer's input projections of the tokens that were read
  #keepsInputs;
  #embedding;
  #embedded;
  #output;
  #bias;
  #sums;
  #logits;

  /**
   * @param {object} shape the fields `lstm_state_size`, `layers`, `embedding_size`, `layer_norm`, `num_proj` and `vocabulary_size` of Python's
   *     `ModelShape`; a size that is null is not used.
   * @param {function(string): Float32Array} tensor returns a tensor of the model file by its name, each only once.
   */
  constructor(shape, tensor) {
    const states = shape.lstm_state_size;
    const outputs = shape.num_proj ?? states;
    this.#state = new Float32Array(shape.layers * (outputs + states));
    this.#keepsInputs = shape.vocabulary_size * 4 * states <= MOST_TABLE_NUMBERS;
    this.#embedding = shape.embedding_size === null ? null : tensor("embedding");
    this.#embedded = new Float32Array(shape.embedding_size ?? 0);
    for (let index = 0; index < shape.layers; index++) {
      const start = index * (outputs + states);
      const h = this.#state.subarray(start, start + outputs);
      const c = this.#state.subarray(start + outputs, start + outputs + states);
      const x = index === 0 ? this.#embedded : this.#layers.at(-1).h;
      this.#layers.push(new Layer(shape, (name) => tensor(`layers.${index}.${name}`), x, h, c));
    }
    this.#output = makePanels(tensor("output.kernel"), outputs, shape.vocabulary_size);
    this.#bias = padded(tensor("output.bias"));
    this.#sums = new Float32Array(this.#bias.length);
    this.#logits = this.#sums.subarray(0, shape.vocabulary_size);
  }

  /** Reads a token. */
  read(id) {
    let input = this.#inputs[id] ?? this.#layers[0].inputOf(id, this.#embed(id));
    if (this.#keepsInputs) this.#inputs[id] = input;
    for (const layer of this.#layers) {
      layer.step(input);
      input = null;
    }
  }

  /** Returns the logits of the next token, which the next call overwrites. */
  logits() {
    this.#sums.set(this.#bias);
    addProduct(this.#output, this.#layers.at(-1).h, this.#sums);
    return this.#logits;
  }

  /** Returns the output of a layer after the last token. */
  output(layer) {
    return this.#layers[layer].h;
  }

  /** Returns a copy of the state, from which `restore` continues. */
  state() {
    return this.#state.slice();
  }

  /** Continues from a result of `state`; null is the state before the first token. */
  restore(state) {
    if (state === null) this.#state.fill(0);
    else this.#state.set(state);
  }

  #embed(id) {
    if (this.#embedding === null) return null;
    const size = this.#embedded.length;
    this.#embedded.set(this.#embedding.subarray(id * size, (id + 1) * size));
    return this.#embedded;
  }
}

/** A recurrent layer: plain or layer-normalised, with or without a projection. */
class Layer {
  #x;
  #c;
  #bias;
  #kernel;
  #recurrentKernel;
  #sums;
  #input;
  #exposed;
  #normalised;
  #inputScale;
  #recurrentScale;
  #stateScale;
  #stateOffset;
  #projection;
  #unprojected;
  #projected;

  /**
   * @param {object} shape as in Network.
   * @param {function(string): Float32Array} tensor returns a tensor by its name in the layer.
   * @param {Float32Array} x the input; empty if tokens are one-hot.
   * @param {Float32Array} h the output.
   * @param {Float32Array} c the cell state.
   */
  constructor(shape, tensor, x, h, c) {
    const gates = 4 * c.length;
    this.h = h;
    this.#x = x;
    this.#c = c;
    this.#bias = gatesOfStates(tensor("bias"), gates);
    // One-hot tokens read rows of the kernel; everything else is a product.
    this.#kernel = x.length ? makePanels(gatesOfStates(tensor("kernel"), gates), x.length, gates) : tensor("kernel");
    this.#recurrentKernel = makePanels(gatesOfStates(tensor("recurrent_kernel"), gates), h.length, gates);
    this.#sums = new Float32Array(gates);
    this.#input = new Float32Array(gates);
    this.#exposed = c;
    this.#normalised = shape.layer_norm;
    if (shape.layer_norm) {
      this.#inputScale = gatesOfStates(tensor("input_scale"), gates);
      this.#recurrentScale = gatesOfStates(tensor("recurrent_scale"), gates);
      this.#stateScale = tensor("state_scale");
      this.#stateOffset = tensor("state_offset");
      this.#exposed = new Float32Array(c.length);
    }
    this.#projection = null;
    this.#unprojected = h;
    if (shape.num_proj !== null) {
      this.#projection = makePanels(tensor("projection"), c.length, h.length);
      this.#unprojected = new Float32Array(c.length);
      this.#projected = new Float32Array(Math.ceil(h.length / 4) * 4);
    }
  }

  /**
   * Returns the input projection of a token, bias included.
   *
   * @param {number} id the token.
   * @param {Float32Array|null} x its embedding; null if tokens are one-hot.
   */
  inputOf(id, x) {
    if (x !== null) {
      this.#project();
      return this.#input.slice();
    }
    const gates = this.#input.length;
    const input = gatesOfStates(this.#kernel.slice(id * gates, (id + 1) * gates), gates);
    this.#addBias(input);
    return input;
  }

  /**
   * Reads an input: overwrites h and c.
   *
   * @param {Float32Array|null} input the input projection, bias included; null to compute it from x.
   */
  step(input) {
    if (input === null) {
      this.#project();
      input = this.#input;
    }
    const sums = this.#sums;
    const c = this.#c;
    if (this.#normalised) {
      sums.fill(0);
      addProduct(this.#recurrentKernel, this.h, sums);
      normalise(sums, this.#recurrentScale, input, sums);
    } else {
      sums.set(input);
      addProduct(this.#recurrentKernel, this.h, sums);
    }
    for (let k = 0; k < c.length; k++) {
      const gate = 4 * k;
      c[k] = sigmoid(sums[gate + 1]) * c[k] + sigmoid(sums[gate]) * tanh(sums[gate + 2]);
    }
    if (this.#normalised) normalise(c, this.#stateScale, this.#stateOffset, this.#exposed);
    const output = this.#unprojected;
    const exposed = this.#exposed;
    for (let k = 0; k < c.length; k++) output[k] = sigmoid(sums[4 * k + 3]) * tanh(exposed[k]);
    if (this.#projection !== null) {
      this.#projected.fill(0);
      addProduct(this.#projection, output, this.#projected);
      for (let k = 0; k < this.h.length; k++) this.h[k] = this.#projected[k];
    }
  }

  /** Computes the input projection from x, bias included. */
  #project() {
    if (this.#normalised) {
      this.#input.fill(0);
      addProduct(this.#kernel, this.#x, this.#input);
      this.#addBias(this.#input);
    } else {
      this.#input.set(this.#bias);
      addProduct(this.#kernel, this.#x, this.#input);
    }
  }

  /** Turns a product of the kernel into the input projection, in place. */
  #addBias(product) {
    if (this.#normalised) normalise(product, this.#inputScale, this.#bias, product);
    else for (let k = 0; k < product.length; k++) product[k] += this.#bias[k];
  }
}

/** Reorders rows of gates from all of i, f, g and o, one gate after the other, to i, f, g, o of the first state, of the second, and so on. */
function gatesOfStates(rows, gates) {
  const states = gates / 4;
  const reordered = new Float32Array(rows.length);
  for (let start = 0; start < rows.length; start += gates) {
    for (let k = 0; k < gates; k++) reordered[start + (k % states) * 4 + Math.floor(k / states)] = rows[start + k];
  }
  return reordered;
}
