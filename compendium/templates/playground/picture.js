"use strict";
// The panel of a digit or a shape.

/** Draw values 0..1 (side x side) in the colour of the text. */
function paint(canvas, values, side) {
  Object.assign(canvas, { width: side, height: side });
  canvas.getContext("2d").putImageData(inked(canvas, values, side), 0, 0);
}
function inked(canvas, values, side) {
  const [r, g, b] = getComputedStyle(canvas).color.match(/\d+/g).map(Number), pixels = new ImageData(side, side);
  for (let i = 0; i < values.length; i++) pixels.data.set([r, g, b, values[i] * 255], 4 * i);
  return pixels;
}

function picturePanel(panel) {
  const { controls, name, beside } = panel, side = data.models[name].program.height;
  const measure = measurers[name];
  const given = panel.items.map((item, i) => ({ name: item.name, z: item.z[0], other: beside?.codes[i][0], pixels: bytesOf(item.original) }));
  let own = null; // the drawn digit, once there is one
  const state = { item: 0, z: [...given[0].z], output: null, milliseconds: 0, beside: false, original: false };
  const item = () => (state.item === "own" ? own : given[state.item]);
  const shares = (pixels) => Float32Array.from(pixels, (value) => value / 255);

  const picture = element("canvas", { role: "img" }), source = element("canvas", { role: "img", "aria-label": "the original" });
  const second = element("canvas", { role: "img" });
  const caption = element("figcaption", { text: "decoded" });
  const buttons = given.map((one, index) => element("button", { type: "button", title: one.name, "aria-label": one.name,
    onclick: () => { choose(index); history.mark(); } }, element("canvas")));
  const history = new History(snapshot, restore);
  const sliders = controls.map((control) => slider(name, control, (value) => {
    state.z[control.dimension] = value;
    soon(draw);
  }, done));
  const square = plane(name, controls, sliders, done, background);
  const more = element("details.more", { ontoggle: drawPlane }, element("summary", { text: "Two controls at once" }), square.root);
  const drawing = data.models[name].program.encoder ? drawingField((pixels) => {
    useOwn(pixels);
    history.mark();
  }) : null;
  const hold = holdButton("Hold: original", (on) => { state.original = on; soon(draw); });
  const compare = beside && element("input", { type: "checkbox", id: `${name}-beside`, onchange: () => {
    state.beside = compare.checked;
    history.mark();
    soon(draw);
  } });
  const figure = element("figure.beside", { hidden: "" }, second, element("figcaption", { text: beside?.title ?? "" }));

  function choose(index) {
    Object.assign(state, { item: index, z: [...(index === "own" ? own : given[index]).z] });
    buttons.forEach((one, i) => one.setAttribute("aria-pressed", i === index));
    soon(draw);
    soon(drawPlane);
  }
  function useOwn(pixels) {
    const codeBy = (model) => codecs[model].encode([shares(pixels)])[0];
    own = { name: "your digit", pixels, z: codeBy(name), other: beside && codeBy(beside.name) };
    choose("own");
  }
  function snapshot() {
    const moves = controls.map((control) => Math.round(1e4 * (state.z[control.dimension] - item().z[control.dimension])) / 1e4);
    return { item: state.item, moves, beside: state.beside, ...(state.item === "own" ? { pixels: base64(own.pixels) } : {}) };
  }
  function restore({ item: index, moves, beside: shown, pixels }) {
    if (pixels) useOwn(bytesOf(pixels));
    else choose(index);
    controls.forEach((control, i) => { state.z[control.dimension] = item().z[control.dimension] + moves[i]; });
    state.beside = shown && Boolean(beside);
    if (compare) compare.checked = state.beside;
    soon(draw);
  }
  const range = (control) => {
    const at = item().z[control.dimension];
    return [Math.min(control.low, at), Math.max(control.high, at)];
  };
  const shifts = () => controls.map((control) => state.z[control.dimension] - item().z[control.dimension]);
  function draw() {
    const start = performance.now();
    state.output = decoders[name](state.z);
    state.milliseconds = performance.now() - start;
    const original = shares(item().pixels);
    paint(picture, state.original ? original : state.output, side);
    caption.textContent = state.original ? "original" : "decoded";
    paint(source, original, side);
    figure.hidden = !state.beside;
    if (state.beside) paint(second, decoders[beside.name](sameMove(item().other, controls, beside.controls, shifts())), side);
    const before = measure && (item().measured ??= measure(original)), now = measure && (state.original ? before : measure(state.output));
    controls.forEach((control, i) => {
      const value = state.z[control.dimension], from = item().z[control.dimension];
      const number = (v) => (Number.isFinite(v) ? v.toFixed(Math.abs(v) < 10 ? 2 : 1).replace("-", "−") : "–");
      const measured = before ? [[`${number(before[i])} → `], [`${number(now[i])} ${control.unit}`, "b"]] : [];
      sliders[i].set(value, range(control), from, [...measured, [`${signed((value - from) / control.sd)} sd`, "small"]]);
    });
    square.follow();
    picture.setAttribute("aria-label", `${item().name}, ${state.original ? "the original" : "decoded with the sliders as they are set"}`);
    second.setAttribute("aria-label", `the same moves by ${beside?.title}`);
  }

  // Behind the point: what the decoder makes of 5 x 5 places, one after the other, as long as they are still wanted.
  let wanted = 0;
  function drawPlane() {
    square.follow(more.open);
  }
  function done() {
    history.mark();
    soon(drawPlane);
  }
  async function background(canvas, i, j) {
    const mine = ++wanted, count = 5, tile = side, base = [...state.z], [a, b] = [controls[i], controls[j]];
    Object.assign(canvas, { width: count * tile, height: count * tile });
    for (let row = 0; row < count; row++) {
      for (let column = 0; column < count; column++) {
        await new Promise((done) => setTimeout(done, 12));
        if (mine !== wanted) return;
        const z = [...base], [lowB, highB] = range(b), [lowA, highA] = range(a);
        z[b.dimension] = highB - ((row + 0.5) / count) * (highB - lowB);
        z[a.dimension] = lowA + ((column + 0.5) / count) * (highA - lowA);
        canvas.getContext("2d").putImageData(inked(canvas, decoders[name](z), tile), column * tile, row * tile);
      }
    }
  }
  function save() {
    const large = element("canvas", { width: 10 * side, height: 10 * side }), context = large.getContext("2d");
    const small = element("canvas", { width: side, height: side });
    const pixels = new ImageData(side, side);
    (state.original ? shares(item().pixels) : state.output).forEach((value, i) => pixels.data.set([255 * value, 255 * value, 255 * value, 255], 4 * i));
    small.getContext("2d").putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, 10 * side, 10 * side);
    large.toBlob((blob) => saveFile(blob, "image/png", `${item().name} edited`, ".png"));
  }
  const resetAll = () => { choose(state.item); history.mark(); };
  const root = element("section.panel", { id: `panel-${name}`, "aria-label": panel.title },
    element("div.head", {}, element("h2", { text: panel.title }), element("span.tools", {}, ...history.buttons, button("Reset", resetAll))),
    element("p.about", { text: panel.about }),
    element("div.items", { role: "group", "aria-label": "items to start from" }, ...buttons),
    ...(drawing ? [drawing.root] : []),
    element("div.stage.sticky", {},
      element("figure.big", {}, picture, caption), figure,
      element("figure.small", {}, source, element("figcaption", { text: "original" }))),
    element("div.row", {}, hold, button("Randomise", () => { randomise(sliders); done(); }), button("Save PNG", save),
      ...(compare ? [element("label", { for: compare.id }, compare, ` ${beside.title} beside, same moves`)] : [])),
    ...sliders.map((one) => one.row),
    more);
  const thumbnails = () => buttons.forEach((one, i) => paint(one.firstChild, shares(given[i].pixels), side));
  return { root, state, sliders, choose, draw, history, snapshot, restore, plane: square, drawing, useOwn,
    begin: () => { thumbnails(); choose(0); }, recolour: () => { thumbnails(); soon(draw); soon(drawPlane); } };
}
