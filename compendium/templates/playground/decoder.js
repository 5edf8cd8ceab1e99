"use strict";
// The trained decoders (encoder.js: the encoders), run in the browser. A model is a list of tensors and a small description of what to do with
// them, both written by compendium/playground/weights.py. Nothing here is learned or tuned: change nothing but speed.

const activations = {
  none: (v) => v,
  relu: (v) => (v > 0 ? v : 0),
  selu: (v) => 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * Math.expm1(v)),
};
const sigmoid = (v) => 1 / (1 + Math.exp(-v));

/** All 65,536 half-precision numbers, by their bits. */
let halves = null;
function half(bits) {
  halves ??= Float32Array.from({ length: 65536 }, (_, n) => {
    const sign = n >> 15 ? -1 : 1, power = (n >> 10) & 31, part = n & 1023;
    return sign * (power ? 2 ** (power - 15) * (1 + part / 1024) : 2 ** -14 * (part / 1024));
  });
  return halves[bits];
}

/** Base64 text -> {name: Float32Array}; index: {name: [first byte, rows, columns, kind]}; kinds: weights.py. */
function unpack(text, index) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const read = ([from, rows, columns, kind]) => {
    const size = rows * columns;
    if (kind === "s") return new Float32Array(bytes.slice(from, from + 4 * size));
    const factors = new Float32Array(bytes.slice(from, from + 4 * rows)), first = from + 4 * rows, out = new Float32Array(size);
    const whole = new Int8Array(bytes, first, size), rest = kind === "t" ? new Uint8Array(bytes, first + size, (size + 1) >> 1) : null;
    for (let i = 0, row = 0; row < rows; row++) {
      for (const end = i + columns; i < end; i++) {
        out[i] = factors[row] * (rest ? 16 * whole[i] + (i % 2 ? rest[i >> 1] & 15 : rest[i >> 1] >> 4) : whole[i]);
      }
    }
    return out;
  };
  return Object.fromEntries(Object.entries(index).map(([name, place]) => [name, read(place)]));
}

/** bias + weight x: weight (rows, x.length). Four rows at a time: sums that do not wait for each other. */
function linear(weight, bias, x, activation = activations.none) {
  const rows = bias.length, columns = x.length, out = new Float32Array(rows);
  let r = 0;
  for (; r + 3 < rows; r += 4) {
    const a = r * columns, b = a + columns, c = b + columns, d = c + columns;
    let s = bias[r], t = bias[r + 1], u = bias[r + 2], v = bias[r + 3];
    for (let i = 0; i < columns; i++) {
      const value = x[i];
      s += weight[a + i] * value; t += weight[b + i] * value; u += weight[c + i] * value; v += weight[d + i] * value;
    }
    out[r] = activation(s); out[r + 1] = activation(t); out[r + 2] = activation(u); out[r + 3] = activation(v);
  }
  for (; r < rows; r++) {
    let sum = bias[r];
    for (let i = 0; i < columns; i++) sum += weight[r * columns + i] * x[i];
    out[r] = activation(sum);
  }
  return out;
}

/**
 * Transposed convolution, kernel x kernel. x: (height, width, inputs), weight: (kernel, kernel, outputs, inputs),
 * result: (tall, wide, outputs). Every input pixel adds a patch of kernel x kernel pixels to the result.
 */
function upconvolution(op, weight, bias, x, activation) {
  const { kernel, height, width, inputs, tall, wide, outputs, stride, padding } = op;
  const patch = kernel * kernel * outputs, pixels = height * width;
  const patches = product(x, pixels, weight, patch, inputs);
  const out = new Float32Array(tall * wide * outputs);
  for (let i = 0; i < out.length; i++) out[i] = bias[i % outputs];
  for (let p = 0; p < pixels; p++) {
    const top = Math.floor(p / width) * stride - padding, left = (p % width) * stride - padding;
    for (let ky = 0; ky < kernel; ky++) {
      for (let kx = 0; kx < kernel; kx++) {
        const row = top + ky, column = left + kx;
        if (row < 0 || row >= tall || column < 0 || column >= wide) continue;
        const to = (row * wide + column) * outputs, from = p * patch + (ky * kernel + kx) * outputs;
        for (let o = 0; o < outputs; o++) out[to + o] += patches[from + o];
      }
    }
  }
  for (let i = 0; i < out.length; i++) out[i] = activation(out[i]);
  return out;
}

/**
 * a (m, k) times the transpose of b (n, k): (m, n); n a multiple of 4. Two rows by four columns at a time: fewer loads; the four
 * rows of b stay in the nearest cache.
 */
function product(a, m, b, n, k, out = new Float32Array(m * n)) {
  for (let j = 0; j < n; j += 4) {
    const b0 = j * k, b1 = b0 + k, b2 = b1 + k, b3 = b2 + k;
    for (let i = 0; i < m; i += 2) {
      const a0 = i * k, a1 = i + 1 < m ? a0 + k : a0;
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
      for (let c = 0; c < k; c++) {
        const u = a[a0 + c], v = a[a1 + c], w0 = b[b0 + c], w1 = b[b1 + c], w2 = b[b2 + c], w3 = b[b3 + c];
        s0 += u * w0; s1 += u * w1; s2 += u * w2; s3 += u * w3;
        t0 += v * w0; t1 += v * w1; t2 += v * w2; t3 += v * w3;
      }
      const at = i * n + j;
      out[at] = s0; out[at + 1] = s1; out[at + 2] = s2; out[at + 3] = s3;
      if (a1 !== a0) { out[at + n] = t0; out[at + n + 1] = t1; out[at + n + 2] = t2; out[at + n + 3] = t3; }
    }
  }
  return out;
}

/** Decoder of an image model: z -> probabilities, Float32Array (height * width), row by row from the top. */
function imageDecoder(model, tensors) {
  return (z) => {
    let x = z;
    for (const op of model.ops) {
      const weight = tensors[op.weight], bias = tensors[op.bias], activation = activations[op.activation];
      x = op.kind === "linear" ? linear(weight, bias, x, activation)
                               : upconvolution(op, weight, bias, x, activation);
    }
    return x.map(sigmoid);
  };
}

/** Rows of `symbols`, one a symbol, put through a layer: what each of them adds to the gates. */
function tableOf(symbols, weight, bias) {
  const wide = weight.length / bias.length, many = symbols.length / wide, out = new Float32Array(many * bias.length);
  for (let row = 0; row < many; row++) out.set(linear(weight, bias, symbols.subarray(row * wide, (row + 1) * wide)), row * bias.length);
  return out;
}

/**
 * One step of a gated recurrent layer, torch's equations: r, z = sigmoid(feed + U h), n = tanh(feed + r (U h + c)),
 * h' = n + z (h - n). feed: what the input adds to [r z n], its biases included; `still`: the biases of U h.
 */
function gruStep(feed, weight, still, h) {
  const size = h.length, inner = linear(weight, still, h), after = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const r = sigmoid(feed[i] + inner[i]), z = sigmoid(feed[size + i] + inner[size + i]);
    const n = Math.tanh(feed[2 * size + i] + r * inner[2 * size + i]);
    after[i] = n + z * (h[i] - n);
  }
  return after;
}

/**
 * Decoder of MeasureVAE: (z, allowed) -> {tokens, logits}. Four beats are made from the code; each beat starts the ticks,
 * and every tick hears the symbol that the tick before found likeliest, of those that are `allowed` (null: all).
 */
function measureDecoder(model, tensors) {
  const { beats, ticks, layers, hidden, vocabulary } = model;
  const t = tensors, table = tableOf(t["symbols out"], t["symbols out.w"], new Float32Array(3 * hidden));
  // What the first layers hear: a constant (beats), a row of a table, one a symbol (ticks); then the layer below.
  const heard = (level, layer, x) => linear(t[`${level}.${layer}.w`], t[`${level}.${layer}.b`], x);
  const step = (level, layer, feed, h) => gruStep(feed, t[`${level}.${layer}.u`], t[`${level}.${layer}.c`], h);
  const split = (x) => Array.from({ length: layers }, (_, layer) => x.slice(layer * hidden, (layer + 1) * hidden));
  return (z, allowed = null) => {
    const tokens = [], logits = [];
    const beat = split(linear(t["beat start.w"], t["beat start.b"], z, activations.selu));
    let last = vocabulary; // the table's extra row: before the first symbol
    for (let b = 0; b < beats; b++) {
      for (let layer = 0; layer < layers; layer++) {
        const feed = layer === 0 ? t["beat.0.b"] : heard("beat", layer, beat[layer - 1]);
        beat[layer] = step("beat", layer, feed, beat[layer]);
      }
      const top = beat[layers - 1];
      const tick = split(linear(t["tick start.w"], t["tick start.b"], top, activations.selu));
      const input = linear(t["tick input.w"], t["tick input.b"], top, activations.selu);
      const constant = heard("tick", 0, input);
      for (let i = 0; i < ticks; i++) {
        for (let layer = 0; layer < layers; layer++) {
          const feed = layer === 0 ? constant.map((v, j) => v + table[last * 3 * hidden + j])
                                   : heard("tick", layer, tick[layer - 1]);
          tick[layer] = step("tick", layer, feed, tick[layer]);
        }
        const scores = linear(t["logits.w"], t["logits.b"], tick[layers - 1], activations.relu);
        last = likeliest(scores, allowed);
        tokens.push(last);
        logits.push(scores);
      }
    }
    return { tokens, logits };
  };
}

/** The first of the highest scores, among the symbols that are allowed. */
function likeliest(scores, allowed) {
  let best = -1;
  for (let i = 0; i < scores.length; i++) if ((!allowed || allowed[i]) && (best < 0 || scores[i] > scores[best])) best = i;
  return best;
}
