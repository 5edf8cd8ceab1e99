"use strict";
// The trained encoders: an image or a measure to the mean of its code. Weights and layers as in decoder.js.

/** Convolution, kernel x kernel. x: (height, width, inputs), weight: (outputs, kernel, kernel, inputs) -> (tall, wide, outputs). */
function convolution(op, weight, bias, x, activation) {
  const { kernel, height, width, inputs, tall, wide, outputs, stride, padding } = op;
  const patch = kernel * kernel * inputs, patches = new Float32Array(tall * wide * patch);
  for (let row = 0, to = 0; row < tall; row++) {
    for (let column = 0; column < wide; column++) {
      for (let ky = 0; ky < kernel; ky++) {
        for (let kx = 0; kx < kernel; kx++, to += inputs) {
          const y = row * stride - padding + ky, z = column * stride - padding + kx;
          if (y < 0 || y >= height || z < 0 || z >= width) continue;
          const from = (y * width + z) * inputs;
          for (let i = 0; i < inputs; i++) patches[to + i] = x[from + i];
        }
      }
    }
  }
  const out = product(patches, tall * wide, weight, outputs, patch);
  for (let i = 0; i < out.length; i++) out[i] = activation(out[i] + bias[i % outputs]);
  return out;
}

/** Encoder of an image model: images, values 0..1, row by row -> means of their codes. */
function imageEncoder(model, tensors) {
  return (images) => images.map((pixels) => {
    let x = pixels;
    for (const op of model.encoder) {
      const layer = op.kind === "linear" ? linear : (...given) => convolution(op, ...given);
      x = layer(tensors[op.weight], tensors[op.bias], x, activations[op.activation]);
    }
    return x;
  });
}

/**
 * Encoder of MeasureVAE: measures of 24 tokens -> means of their codes, from the last states of every layer, forwards and
 * backwards. All measures go through each step together, so that a weight is fetched once for them all; nothing is allocated
 * in a step. Rows of `said` and `below` are ticks of measures, tick by tick.
 */
function measureEncoder(model, tensors) {
  const { layers, hidden } = model, t = tensors, gates = 3 * hidden;
  const tables = ["", "_reverse"].map((way) => tableOf(t["symbols in"], t[`encoder.0${way}.w`], t[`encoder.0${way}.b`]));
  return (measures) => {
    const count = measures.length, ticks = measures[0].length, size = 2 * layers * hidden;
    const states = new Float32Array(count * size), inner = new Float32Array(count * gates);
    let below = null;
    for (let layer = 0; layer < layers; layer++) {
      const said = new Float32Array(ticks * count * 2 * hidden);
      ["", "_reverse"].forEach((way, backwards) => {
        const name = `encoder.${layer}${way}`, u = t[`${name}.u`], still = t[`${name}.c`], bias = t[`${name}.b`];
        const feeds = layer === 0 ? tables[backwards] : product(below, ticks * count, t[`${name}.w`], gates, 2 * hidden);
        if (layer > 0) for (let i = 0; i < feeds.length; i++) feeds[i] += bias[i % gates];
        const h = new Float32Array(count * hidden);
        for (let step = 0; step < ticks; step++) {
          const tick = backwards ? ticks - 1 - step : step;
          product(h, count, u, gates, hidden, inner);
          for (let m = 0; m < count; m++) {
            const feed = (layer === 0 ? measures[m][tick] : tick * count + m) * gates, own = m * gates, at = m * hidden;
            const to = ((tick * count + m) * 2 + backwards) * hidden;
            for (let i = 0; i < hidden; i++) {
              const r = sigmoid(feeds[feed + i] + inner[own + i] + still[i]);
              const z = sigmoid(feeds[feed + hidden + i] + inner[own + hidden + i] + still[hidden + i]);
              const n = Math.tanh(feeds[feed + 2 * hidden + i] + r * (inner[own + 2 * hidden + i] + still[2 * hidden + i]));
              said[to + i] = h[at + i] = n + z * (h[at + i] - n);
            }
          }
        }
        for (let m = 0; m < count; m++) states.set(h.subarray(m * hidden, (m + 1) * hidden), m * size + (2 * layer + backwards) * hidden);
      });
      below = said;
    }
    const dense = (name, x, activation) => linear(t[`${name}.w`], t[`${name}.b`], x, activation);
    return measures.map((_, m) => dense("mean", dense("dense", states.subarray(m * size, (m + 1) * size), activations.selu)));
  };
}
