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

/** Encoder of an image model: values 0..1, row by row -> mean of the code. */
function imageEncoder(model, tensors) {
  return (pixels) => {
    let x = pixels;
    for (const op of model.encoder) {
      const layer = op.kind === "linear" ? linear : (...given) => convolution(op, ...given);
      x = layer(tensors[op.weight], tensors[op.bias], x, activations[op.activation]);
    }
    return x;
  };
}

/** Encoder of MeasureVAE: 24 tokens -> mean of the code, from the last states of every layer, forwards and backwards. */
function measureEncoder(model, tensors) {
  const { layers, hidden } = model, t = tensors;
  return (tokens) => {
    const last = [];
    let below = null; // what the layer below says at each tick, both ways
    for (let layer = 0; layer < layers; layer++) {
      const ways = ["", "_reverse"].map((way) => {
        const name = `encoder.${layer}${way}`, said = [];
        let state = new Float32Array(hidden);
        for (let step = 0; step < tokens.length; step++) {
          const tick = way ? tokens.length - 1 - step : step, from = tokens[tick] * 3 * hidden;
          const feed = layer === 0 ? t[`${name}.symbols`].subarray(from, from + 3 * hidden)
                                   : linear(t[`${name}.w`], t[`${name}.b`], below[tick]);
          said[tick] = state = gruStep(feed, t[`${name}.u`], t[`${name}.c`], state);
        }
        last.push(state);
        return said;
      });
      below = tokens.map((_, tick) => Float32Array.from([...ways[0][tick], ...ways[1][tick]]));
    }
    const states = Float32Array.from(last.flatMap((state) => [...state]));
    return linear(t["mean.w"], t["mean.b"], linear(t["dense.w"], t["dense.b"], states, activations.selu));
  };
}
