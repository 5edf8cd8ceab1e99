"use strict";
// Attributes measured on digits, as arvae/datasets/morphology.py does (Castro et al., Morpho-MNIST, JMLR 2019): area, length,
// thickness, slant, width, height of a digit of 28 x 28, enlarged four times.

const SCALE = 4, BIG = 112, PADDED = BIG + 2, MASS = 0.98;

/** Rows of numpy's RandomState(0).permutation(count): the ties of the thinning are broken as in the published attributes. */
const shuffles = new Map();
function shuffled(count) {
  if (shuffles.has(count)) return shuffles.get(count);
  const state = new Uint32Array(624);
  for (let i = 1; i < 624; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let at = 624;
  const next = () => {
    if (at === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    let mask = i;
    for (const by of [1, 2, 4, 8, 16]) mask |= mask >> by;
    let j = next() & mask;
    while (j > i) j = next() & mask;
    [order[i], order[j]] = [order[j], order[i]];
  }
  shuffles.set(count, order);
  return order;
}

/** For each of the 512 neighbourhoods whether its middle pixel must stay: else a part would vanish, split or be cut short. */
let keepTable = null;
function mustStay() {
  const parts = (code) => {
    const label = Array(9).fill(0);
    let count = 0;
    const spread = (place) => {
      label[place] = count;
      for (let other = 0; other < 9; other++) {
        const near = Math.abs((other % 3) - (place % 3)) < 2 && Math.abs(Math.floor(other / 3) - Math.floor(place / 3)) < 2;
        if (near && (code >> other) & 1 && !label[other]) spread(other);
      }
    };
    for (let place = 0; place < 9; place++) {
      if (!((code >> place) & 1) || label[place]) continue;
      count += 1;
      spread(place);
    }
    return count;
  };
  const size = (code) => sum(Array.from({ length: 9 }, (_, place) => (code >> place) & 1));
  keepTable ??= Array.from({ length: 512 }, (_, code) => Boolean(code & 16) && (parts(code) !== parts(code & ~16) || size(code) < 3));
  return keepTable;
}

/** Values 0..255 (28 x 28) enlarged: cubic convolution with mirrored borders, then a Gaussian of 4/3 pixels; whole numbers. */
function enlarged(pixels) {
  const side = 28, rows = Array.from({ length: BIG }, (_, i) => {
    const source = (i + 0.5) / SCALE - 0.5, whole = Math.floor(source), t = source - whole;
    const weights = [-t + 2 * t ** 2 - t ** 3, 2 - 5 * t ** 2 + 3 * t ** 3, t + 4 * t ** 2 - 3 * t ** 3, t ** 3 - t ** 2];
    return weights.map((weight, k) => [side - 1 - Math.abs(side - 1 - Math.abs(whole + k - 1)), weight / 2]);
  });
  const tall = new Float64Array(BIG * side), large = new Float64Array(BIG * BIG);
  const low = Math.min(...pixels), high = Math.max(...pixels);
  for (let y = 0; y < BIG; y++) for (let x = 0; x < side; x++) for (const [from, w] of rows[y]) tall[y * side + x] += w * pixels[from * side + x];
  for (let y = 0; y < BIG; y++) {
    for (let x = 0; x < BIG; x++) {
      let value = 0;
      for (const [from, w] of rows[x]) value += w * tall[y * side + from];
      large[y * BIG + x] = clamp(value, low, high);
    }
  }
  const sigma = SCALE / 3, reach = 5, bell = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
  const total = sum(bell), mirrored = (i) => (i < 0 ? -1 - i : i >= BIG ? 2 * BIG - 1 - i : i);
  const blurred = (from, step, line) => {
    const out = new Float64Array(BIG * BIG);
    for (let a = 0; a < BIG; a++) {
      for (let b = 0; b < BIG; b++) {
        let value = 0;
        for (let k = -reach; k <= reach; k++) value += bell[k + reach] * from[a * line + mirrored(b + k) * step];
        out[a * line + b * step] = value / total;
      }
    }
    return out;
  };
  return blurred(blurred(large, BIG, 1), 1, BIG).map((value) => Math.floor(value + 1e-9));
}

/** Squared distance of each pixel to the nearest one that is not in the drawing. */
function squaredDistances(drawn) {
  const across = new Float64Array(BIG * BIG), out = new Float64Array(BIG * BIG);
  for (let y = 0; y < BIG; y++) {
    let left = -1e4;
    for (let x = 0; x < BIG; x++) {
      if (!drawn[y * BIG + x]) left = x;
      across[y * BIG + x] = x - left;
    }
    let right = 1e4;
    for (let x = BIG - 1; x >= 0; x--) {
      if (!drawn[y * BIG + x]) right = x;
      across[y * BIG + x] = Math.min(across[y * BIG + x], right - x) ** 2;
    }
  }
  for (let y = 0; y < BIG; y++) {
    for (let x = 0; x < BIG; x++) {
      let least = 0;
      if (drawn[y * BIG + x]) {
        least = Infinity;
        for (let other = 0; other < BIG; other++) least = Math.min(least, across[other * BIG + x] + (y - other) ** 2);
      }
      out[y * BIG + x] = least;
    }
  }
  return out;
}

/** The middle line of a drawing: pixels are visited from the rim inwards and removed unless they must stay. */
function skeletonOf(drawn, squared) {
  const flat = new Uint8Array(PADDED * PADDED), near = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => dy * PADDED + dx));
  const pixels = [];
  for (let i = 0; i < drawn.length; i++) {
    if (!drawn[i]) continue;
    const at = (Math.floor(i / BIG) + 1) * PADDED + (i % BIG) + 1;
    flat[at] = 1;
    pixels.push([at, squared[i]]);
  }
  const ties = shuffled(pixels.length), keep = mustStay();
  const keys = pixels.map(([at, distance], i) => {
    const corner = 9 - sum(near.map((offset) => flat[at + offset]));
    return { at, first: distance * 16 + corner, tie: ties[i] };
  }).sort((a, b) => a.first - b.first || a.tie - b.tie);
  for (const { at } of keys) {
    let code = 0;
    for (let k = 0; k < 9; k++) code |= flat[at + near[k]] << k;
    flat[at] = keep[code] ? 1 : 0;
  }
  return flat;
}

/** Distance between the two places that leave MASS of a profile between them. */
function extent(profile) {
  const total = sum([...profile]), share = [];
  profile.reduce((before, value) => share[share.push((before + value) / total) - 1] * total, 0);
  const place = (wanted) => {
    let i = share.findIndex((value) => value > wanted);
    if (i <= 0) return i < 0 ? share.length - 1 : 0;
    return i - 1 + (wanted - share[i - 1]) / (share[i] - share[i - 1]);
  };
  return place((1 + MASS) / 2) - place((1 - MASS) / 2);
}

/** [area, length, thickness, slant, width, height] of probabilities (28 x 28); NaN where none reaches one half. */
function digitAttributes(values) {
  const pixels = Array.from(values, (value) => Math.min(Math.floor(value * 256), 255));
  if (Math.max(...pixels) < 128 || Math.max(...pixels) === Math.min(...pixels)) return Array(6).fill(NaN);
  const large = enlarged(pixels), low = Math.min(...large), half = low + (Math.max(...large) - low) / 2;
  const drawn = large.map((value) => (value >= half ? 1 : 0)), squared = squaredDistances(drawn), skeleton = skeletonOf(drawn, squared);
  let straight = 0, diagonal = 0, count = 0, depth = 0;
  for (let y = 1; y <= BIG; y++) {
    for (let x = 1; x <= BIG; x++) {
      const at = y * PADDED + x;
      if (!skeleton[at]) continue;
      count += 1;
      depth += Math.sqrt(squared[(y - 1) * BIG + x - 1]);
      straight += skeleton[at + 1] + skeleton[at + PADDED];
      diagonal += skeleton[at + PADDED + 1] + skeleton[at + PADDED - 1];
    }
  }
  const rows = new Float64Array(BIG), columns = new Float64Array(BIG);
  let mass = 0, mx = 0, my = 0, mxy = 0, myy = 0;
  for (let y = 0; y < BIG; y++) {
    for (let x = 0; x < BIG; x++) {
      const value = large[y * BIG + x];
      rows[y] += value;
      columns[x] += value;
      mass += value; mx += value * x; my += value * y; mxy += value * x * y; myy += value * y * y;
    }
  }
  const x = mx / mass, y = my / mass, shear = -(mxy / mass - x * y) / (myy / mass - y * y), upright = new Map();
  const even = (value) => { // halves go to the even neighbour, as in numpy
    const whole = Math.round(value);
    return Math.abs(value % 1) === 0.5 && whole % 2 ? whole - 1 : whole;
  };
  for (let row = 0; row < BIG; row++) {
    for (let column = 0; column < BIG; column++) {
      const to = even(column + shear * (row - y));
      upright.set(to, (upright.get(to) ?? 0) + large[row * BIG + column]);
    }
  }
  const least = Math.min(...upright.keys()), bins = new Float64Array(Math.max(...upright.keys()) - least + 1);
  for (const [to, value] of upright) bins[to - least] = value;
  return [sum([...drawn]) / SCALE ** 2, (straight + Math.SQRT2 * diagonal) / SCALE, (2 * depth) / count / SCALE, Math.atan(shear),
    extent(bins) / SCALE, extent(rows) / SCALE];
}

/** By data set: what measures the attributes of its controls. */
const measurers = { mnist: digitAttributes };
