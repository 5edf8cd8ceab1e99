"use strict";
// The page: a panel for every model, sliders to its decoder, and what the decoder answers.

const data = JSON.parse(document.getElementById("data").textContent);
const names = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** element("p.note", {text, ...attributes}, ...children) */
function element(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** The decoder of a model, its weights unpacked when first asked for. */
function decoderOf(name) {
  let decode = null;
  return (z) => {
    if (decode === null) {
      const model = data.models[name].program;
      const tensors = unpack(document.getElementById(`weights-${name}`).textContent, model.tensors);
      decode = model.kind === "images" ? imageDecoder(model, tensors) : measureDecoder(model, tensors);
    }
    return decode(Float32Array.from(z));
  };
}
const decoders = Object.fromEntries(Object.keys(data.models).map((name) => [name, decoderOf(name)]));

/** Calls `draw` once before the next frame, however often it was asked to; `settled` resolves when all is drawn. */
const waiting = new Map();
function soon(draw) {
  if (waiting.has(draw)) return;
  waiting.set(draw, new Promise((done) => requestAnimationFrame(() => {
    waiting.delete(draw);
    draw();
    done();
  })));
}
const settled = () => Promise.all(waiting.values());

/** A slider with its name and what is said of its value. */
function slider(panel, control, range, onInput) {
  const id = `${panel}-${control.attribute.replace(/ /g, "-")}`;
  const input = element("input", { type: "range", id, step: "any", oninput: () => onInput(Number(input.value)) });
  // A fixed number of steps for the keyboard, wherever the range lies.
  input.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    input.value = Number(input.value) + (step * (input.max - input.min)) / 40;
    onInput(Number(input.value));
  });
  const output = element("output", { for: id });
  const row = element("div.control", {}, element("label", { for: id, text: control.attribute }), input, output);
  const set = (value, [low, high] = range, said = "") => {
    Object.assign(input, { min: low, max: high, value });
    input.setAttribute("aria-valuetext", said.replace(/<[^>]*>/g, ""));
    output.innerHTML = said;
  };
  return { row, input, set };
}

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
const heading = (panel, ...more) => element("div.head", {}, element("h2", { text: panel.title }), ...more);

/** Draw values 0..1 (side x side) in the colour of the text. */
function paint(canvas, values, side) {
  Object.assign(canvas, { width: side, height: side });
  const [r, g, b] = getComputedStyle(canvas).color.match(/\d+/g).map(Number);
  const pixels = new ImageData(side, side);
  for (let i = 0; i < values.length; i++) pixels.data.set([r, g, b, values[i] * 255], 4 * i);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** A digit or a shape. */
function imagePanel(panel) {
  const { controls, items, name } = panel, side = data.models[name].program.height;
  const originals = items.map((item) => Array.from(atob(item.original), (c) => c.charCodeAt(0) / 255));
  const picture = element("canvas", { role: "img" }), source = element("canvas", { role: "img", "aria-label": "the original" });
  const state = { item: 0, z: [...items[0].z], output: null, milliseconds: 0 };
  const buttons = items.map((item, index) => {
    const small = element("canvas");
    return element("button", { type: "button", title: item.name, "aria-label": item.name, onclick: () => choose(index) }, small);
  });
  const sliders = controls.map((control) => slider(name, control, [control.low, control.high], (value) => {
    state.z[control.dimension] = value;
    soon(draw);
  }));
  function choose(index) {
    Object.assign(state, { item: index, z: [...items[index].z] });
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === index));
    soon(draw);
  }
  function draw() {
    const start = performance.now();
    state.output = decoders[name](state.z);
    state.milliseconds = performance.now() - start;
    paint(picture, state.output, side);
    paint(source, originals[state.item], side);
    controls.forEach((control, i) => {
      const value = state.z[control.dimension], low = Math.min(control.low, items[state.item].z[control.dimension]);
      const high = Math.max(control.high, items[state.item].z[control.dimension]);
      sliders[i].set(value, [low, high], `<b>${signed((value - items[state.item].z[control.dimension]) / control.sd)}</b> sd`);
    });
    picture.setAttribute("aria-label", `${items[state.item].name}, decoded with the sliders as they are set`);
  }
  const root = element("section.panel", { id: `panel-${name}`, "aria-label": panel.title },
    heading(panel, element("button", { type: "button", text: "Reset", onclick: () => choose(state.item) })),
    element("p.note", { text: panel.about }),
    element("div.items", { role: "group", "aria-label": "items to start from" }, ...buttons),
    element("div.stage", {},
      element("figure.big", {}, picture, element("figcaption", { text: "decoded" })),
      element("figure.small", {}, source, element("figcaption", { text: "original" }))),
    ...sliders.map((one) => one.row));
  const thumbnails = () => buttons.forEach((button, i) => paint(button.firstChild, originals[i], side));
  return { root, state, sliders, choose, draw, begin: () => { thumbnails(); choose(0); }, recolour: () => { thumbnails(); soon(draw); } };
}

/** After a while of nothing to do: compare every decoder with what torch made of the same codes, and say so. */
function check() {
  const results = {};
  for (const [name, { program, check: { z, output } }] of Object.entries(data.models)) {
    const bytes = Uint8Array.from(atob(output), (c) => c.charCodeAt(0));
    const expected = new Float32Array(bytes.buffer), each = expected.length / z.length;
    let worst = 0, symbols = 0, milliseconds = Infinity;
    z.forEach((code, index) => {
      const start = performance.now(), answer = decoders[name](code);
      milliseconds = Math.min(milliseconds, performance.now() - start);
      const wanted = expected.subarray(index * each, (index + 1) * each);
      const found = program.kind === "images" ? answer : answer.logits.flatMap((scores) => [...scores]);
      // A symbol that ties in the rounded weights may differ; what follows it then differs too, and is not compared.
      const same = program.kind === "images" || answer.tokens.every((token, tick) => {
        const scores = wanted.subarray(tick * program.vocabulary, (tick + 1) * program.vocabulary);
        return token === scores.indexOf(Math.max(...scores));
      });
      if (!same) symbols += 1;
      else for (let i = 0; i < each; i++) worst = Math.max(worst, Math.abs(found[i] - wanted[i]));
    });
    results[name] = { worst, codes: z.length, differing: symbols, milliseconds };
  }
  return results;
}

function begin() {
  const make = { images: imagePanel, music: melodyPanel };
  const panels = Object.fromEntries(data.panels.map((panel) => [panel.name, make[panel.kind](panel)]));
  document.getElementById("panels").append(...Object.values(panels).map((panel) => panel.root));
  for (const panel of Object.values(panels)) panel.begin();
  window.playground = { panels, settled, check, decoders, data };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const panel of Object.values(panels)) panel.recolour();
  });
  setTimeout(() => {
    const results = Object.values(check()), worst = Math.max(...results.map((result) => result.worst));
    const slowest = Math.max(...results.map((result) => result.milliseconds));
    document.getElementById("verdict").textContent =
      `Checked in this browser just now: on ${sum(results.map((result) => result.codes))} codes the decoders differ from ` +
      `the training framework's by at most ${worst.toExponential(0)}; the slowest takes ${slowest.toFixed(0)} ms.`;
  }, 400);
}
