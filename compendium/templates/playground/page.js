"use strict";
// The page: a panel for every kind of model, what the panels share, and the link that takes their state along.

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

/** {decode, encode} of a model, its weights unpacked when first asked for. */
function codecOf(name) {
  let codec = null;
  const whole = () => {
    if (codec === null) {
      const model = data.models[name].program, images = model.kind === "images";
      const tensors = unpack(document.getElementById(`weights-${name}`).textContent, model.tensors);
      const encoder = images ? imageEncoder : measureEncoder;
      codec = { decode: (images ? imageDecoder : measureDecoder)(model, tensors), encode: model.encoder ? encoder(model, tensors) : null };
    }
    return codec;
  };
  return { decode: (z, ...more) => whole().decode(Float32Array.from(z), ...more), encode: (all) => whole().encode(all).map((z) => [...z]) };
}
const codecs = Object.fromEntries(Object.keys(data.models).map((name) => [name, codecOf(name)]));
const decoders = Object.fromEntries(Object.entries(codecs).map(([name, codec]) => [name, codec.decode]));

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
async function settled() {
  while (waiting.size) await Promise.all(waiting.values());
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const signed = (value, digits = 1) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
const mean = (rows) => rows[0].map((_, i) => sum(rows.map((row) => row[i])) / rows.length);
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

/** After a while of nothing to do: compare every decoder with what torch made of the same codes, and say so. */
function check() {
  const results = {};
  for (const [name, { program, check: { z, output } }] of Object.entries(data.models)) {
    const { buffer } = bytesOf(output), images = program.kind === "images";
    const expected = images ? Float32Array.from(new Uint16Array(buffer), half) : new Float32Array(buffer), each = expected.length / z.length;
    let worst = 0, symbols = 0, milliseconds = Infinity;
    z.forEach((code, index) => {
      const start = performance.now(), answer = decoders[name](code);
      milliseconds = Math.min(milliseconds, performance.now() - start);
      const wanted = expected.subarray(index * each, (index + 1) * each);
      const found = images ? answer : answer.logits.flatMap((scores) => [...scores]);
      // A symbol that ties in the rounded weights may differ; what follows it then differs too, and is not compared.
      const same = images || answer.tokens.every((token, tick) => {
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

/** The state of all panels as text for the page's address, and back. */
const toHash = (panels) => `#${base64(new TextEncoder().encode(JSON.stringify(Object.fromEntries(
  Object.entries(panels).map(([name, panel]) => [name, panel.snapshot()])))))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "")}`;
function fromHash(hash) {
  try {
    return JSON.parse(new TextDecoder().decode(bytesOf(hash.slice(1).replace(/-/g, "+").replace(/_/g, "/"))));
  } catch {
    return {};
  }
}

function begin() {
  const make = { images: picturePanel, music: melodyPanel };
  const panels = Object.fromEntries(data.panels.map((panel) => [panel.name, make[panel.kind](panel)]));
  document.getElementById("panels").append(...Object.values(panels).map((panel) => panel.root));
  const given = location.hash.length > 1 ? fromHash(location.hash) : {};
  for (const [name, panel] of Object.entries(panels)) {
    panel.begin();
    if (given[name]) {
      try {
        panel.restore(given[name]);
      } catch {
        panel.begin(); // a link of another page, or a broken one
      }
    }
    panel.history.start();
  }
  window.playground = { panels, settled, check, decoders, codecs, data };
  const said = document.getElementById("shared");
  document.getElementById("share").addEventListener("click", async () => {
    history.replaceState(null, "", toHash(panels));
    try {
      await navigator.clipboard.writeText(location.href);
      said.textContent = "Link copied: it opens the page in its current state.";
    } catch {
      said.textContent = "The link is in the address bar: it opens the page in its current state.";
    }
  });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.matches?.("textarea, input[type=text]")) return;
    const panel = Object.values(panels).find((one) => one.root.contains(document.activeElement)) ?? Object.values(panels)[0];
    event.preventDefault();
    if (event.shiftKey) panel.history.redo();
    else panel.history.undo();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const panel of Object.values(panels)) panel.recolour();
  });
  setTimeout(() => {
    const results = Object.values(check()), worst = Math.max(...results.map((result) => result.worst));
    const slowest = Math.max(...results.map((result) => result.milliseconds));
    document.getElementById("verdict").textContent =
      `Checked in this browser: on ${sum(results.map((result) => result.codes))} codes, the decoders with rounded weights differ `
      + `from PyTorch by at most ${worst.toFixed(3)}; the slowest takes ${slowest.toFixed(0)} ms.`;
  }, 400);
}
