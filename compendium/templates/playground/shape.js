"use strict";
// The factors of a shape read off its pixels, as arvae/datasets/sprites.py does: position and size from its moments, shape and
// orientation from the template that it covers best.

const SIDE = 64, GRID = 32, REACH = 1.1, LEAST_AREA = 16, DISC = 3;
let shapeTemplates = null;
function templatesOf({ drawings, ...lists }) {
  const bytes = bytesOf(drawings), samples = Float32Array.from({ length: 2 * bytes.length }, (_, i) => (i % 2 ? bytes[i >> 1] & 15 : bytes[i >> 1] >> 4) / 15);
  const each = lists.shape.map((_, t) => samples.subarray(t * GRID * GRID, (t + 1) * GRID * GRID));
  return { ...lists, each, squares: each.map((one) => one.reduce((total, value) => total + value * value, 0)) };
}

/** [shape, scale, orientation, x, y] of probabilities (64 x 64); NaN where nothing is drawn, or no known shape. */
function shapeAttributes(values) {
  shapeTemplates ??= templatesOf(data.panels.find((panel) => panel.name === "dsprites").templates);
  const { shape, orientation, offset, unit_area: units, periods, each, squares } = shapeTemplates;
  const white = Array.from(values, (value) => (value >= 0.5 ? 1 : 0)), area = sum(white);
  if (area < LEAST_AREA) return Array(5).fill(NaN);
  let row = 0, column = 0;
  white.forEach((value, i) => { row += value * (Math.floor(i / SIDE) + 0.5); column += value * ((i % SIDE) + 0.5); });
  row /= area;
  column /= area;
  const at = (y, x) => (y < 0 || x < 0 || y >= SIDE || x >= SIDE ? 0 : white[y * SIDE + x]);
  const seen = Float32Array.from({ length: GRID * GRID }, (_, i) => {
    const step = (k) => Math.sqrt(area) * (-REACH + (2 * REACH * k) / (GRID - 1)) - 0.5;
    const y = row + step(Math.floor(i / GRID)), x = column + step(i % GRID), top = Math.floor(y), left = Math.floor(x), v = y - top, u = x - left;
    return (1 - v) * ((1 - u) * at(top, left) + u * at(top, left + 1)) + v * ((1 - u) * at(top + 1, left) + u * at(top + 1, left + 1));
  });
  const own = seen.reduce((total, value) => total + value * value, 0);
  let best = 0, most = -1;
  each.forEach((template, t) => {
    let inside = 0;
    for (let i = 0; i < template.length; i++) inside += template[i] * seen[i];
    const share = inside / (own + squares[t] - inside);
    if (share > most) [best, most] = [t, share];
  });
  const kind = shape[best], known = kind !== DISC, scale = Math.sqrt(area / units[kind]);
  return [known ? kind : NaN, scale, known ? orientation[best] % periods[kind] : NaN,
    (column - offset[best][1] * scale - 16) / 32, (row - offset[best][0] * scale - 16) / 32];
}
measurers.dsprites = shapeAttributes;
