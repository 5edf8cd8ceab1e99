"use strict";
// A digit of one's own: a field to draw in, and what is done to a drawing so that it looks like one of MNIST's
// (arvae/datasets/pictures.py does the same to a file).

const INK = 24, BOX = 20, DIGIT = 28;

/** Light ink on dark, values 0..255, width x height -> 28 x 28: cut out, scaled into 20 x 20, centred by mass; null for none. */
function digitOf(grey, width, height) {
  let left = width, right = -1, top = height, bottom = -1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (grey[y * width + x] < INK) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    }
  }
  if (right < 0) return null;
  const [wide, tall] = [right - left + 1, bottom - top + 1], most = Math.max(wide, tall);
  const cut = new Float32Array(wide * tall);
  for (let y = 0; y < tall; y++) for (let x = 0; x < wide; x++) cut[y * wide + x] = grey[(top + y) * width + left + x];
  const [w, h] = [wide, tall].map((side) => Math.max(1, Math.round((side * BOX) / most)));
  const small = lanczos(transposedPixels(lanczos(transposedPixels(cut, wide, tall), tall, wide, w), tall, w), w, tall, h);
  let mass = 0, x = 0, y = 0;
  small.forEach((value, i) => { mass += value; x += value * (i % w); y += value * Math.floor(i / w); });
  const column = clamp(Math.round(DIGIT / 2 - 0.5 - x / mass), 0, DIGIT - w), row = clamp(Math.round(DIGIT / 2 - 0.5 - y / mass), 0, DIGIT - h);
  const canvas = new Uint8Array(DIGIT * DIGIT);
  small.forEach((value, i) => { canvas[(row + Math.floor(i / w)) * DIGIT + column + (i % w)] = value; });
  return canvas;
}

function transposedPixels(pixels, width, height) {
  return Float32Array.from(pixels, (_, i) => pixels[(i % height) * width + Math.floor(i / height)]);
}

/** Rows of an image (height x width) scaled to `rows` rows by Lanczos' filter over three lobes, whole numbers 0..255. */
function lanczos(pixels, width, height, rows) {
  const scale = height / rows, wide = Math.max(scale, 1), out = new Float32Array(rows * width);
  const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
  for (let row = 0; row < rows; row++) {
    const centre = (row + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - 3 * wide + 0.5)), last = Math.min(height, Math.floor(centre + 3 * wide + 0.5));
    const weights = Array.from({ length: last - first }, (_, i) => {
      const x = (first + i - centre + 0.5) / wide;
      return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
    });
    const total = sum(weights);
    for (let x = 0; x < width; x++) {
      let value = 0;
      for (let i = 0; i < weights.length; i++) value += (weights[i] / total) * pixels[(first + i) * width + x];
      out[row * width + x] = clamp(Math.round(value), 0, 255);
    }
  }
  return out;
}

/** A field to draw a digit in, with mouse, finger or keys; onDrawn(pixels 28 x 28, 0..255) after every stroke. */
function drawingField(onDrawn) {
  const side = 280, thick = 24;
  const canvas = element("canvas.drawing", { width: side, height: side, tabindex: 0, role: "application",
    "aria-label": "Draw a digit here: with mouse or finger, or with the arrow keys, which move a pen that the space bar sets down and lifts" });
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  let pen = { x: side / 2, y: side / 4, down: false };
  const line = (from, to) => {
    Object.assign(ink, { lineWidth: thick, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
    ink.beginPath();
    ink.moveTo(from.x, from.y);
    ink.lineTo(to.x + 0.01, to.y);
    ink.stroke();
  };
  const pixels = () => {
    const { data: rgba } = ink.getImageData(0, 0, side, side);
    return Uint8Array.from({ length: side * side }, (_, i) => rgba[4 * i + 3]);
  };
  const tell = () => {
    const digit = digitOf(pixels(), side, side);
    if (digit) onDrawn(digit);
  };
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * side, y: ((event.clientY - box.top) / box.height) * side };
  };
  let last = null;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
    line(last, last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const here = at(event);
    line(last, here);
    last = here;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (last) tell();
      last = null;
    });
  }
  const said = element("p.unseen", { role: "status" });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (!step && event.key !== " ") return;
    event.preventDefault();
    if (step) {
      const next = { ...pen, x: clamp(pen.x + 10 * step[0], 20, side - 20), y: clamp(pen.y + 10 * step[1], 20, side - 20) };
      if (pen.down) line(pen, next);
      pen = next;
    } else {
      pen.down = !pen.down;
      if (pen.down) line(pen, pen);
      else tell();
    }
    said.textContent = `pen ${pen.down ? "down" : "up"}, column ${Math.round(pen.x / 10)}, row ${Math.round(pen.y / 10)}`;
  });
  const clear = () => {
    ink.clearRect(0, 0, side, side);
    pen.down = false;
  };
  const root = element("details.own", {}, element("summary", { text: "Draw your own" }),
    element("div.row", {}, canvas, button("Clear", clear)), said);
  return { root, canvas, clear };
}
