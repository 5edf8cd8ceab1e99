"use strict";
// What all panels are operated with: sliders, undo and redo, a plane of two controls, a button to hold.

const button = (text, onclick, more = {}) => element("button", { type: "button", text, onclick, ...more });

/**
 * A slider with its name, a mark at the original value, a button that takes it back there, and what is said of its value.
 * onInput(value) while it moves, onDone() when it has been let go.
 */
function slider(panel, control, onInput, onDone) {
  const id = `${panel}-${control.attribute.replace(/ /g, "-")}`;
  let origin = 0;
  const input = element("input", { type: "range", id, step: "any", oninput: () => onInput(Number(input.value)), onchange: () => onDone() });
  const moveTo = (value) => {
    input.value = value;
    onInput(Number(input.value));
    onDone();
  };
  // A fixed number of steps for the keyboard, wherever the range lies.
  input.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    moveTo(Number(input.value) + (step * (input.max - input.min)) / 40);
  });
  const output = element("output", { for: id }), track = element("span.track", {}, input);
  const reset = button("↺", () => moveTo(origin), { class: "reset", "aria-label": `reset ${control.attribute}`, title: "back to the original" });
  const row = element("div.control", {}, element("label", { for: id, text: control.attribute }), track, output, reset);
  const set = (value, [low, high], from, said) => {
    origin = from;
    Object.assign(input, { min: low, max: high, value });
    track.style.setProperty("--mark", (from - low) / (high - low || 1));
    input.setAttribute("aria-valuetext", said.map(([text]) => text).join(" "));
    output.replaceChildren(...said.map(([text, kind = "span"]) => element(kind, { text })));
    reset.disabled = Math.abs(value - from) < 1e-9;
  };
  return { row, input, set, moveTo };
}

/** Undo and redo of what `take()` says and `put(state)` restores. */
class History {
  constructor(take, put) {
    Object.assign(this, { take, put, done: [], undone: [], now: null });
    this.buttons = [button("Undo", () => this.undo(), { title: "Ctrl+Z" }), button("Redo", () => this.redo(), { title: "Ctrl+Shift+Z" })];
  }
  start() {
    Object.assign(this, { done: [], undone: [], now: JSON.stringify(this.take()) });
    this.show();
  }
  /** Something was done. */
  mark() {
    const now = JSON.stringify(this.take());
    if (now === this.now) return;
    this.done.push(this.now);
    Object.assign(this, { now, undone: [] });
    this.show();
  }
  undo() { this.step(this.done, this.undone); }
  redo() { this.step(this.undone, this.done); }
  step(from, to) {
    if (!from.length) return;
    to.push(this.now);
    this.now = from.pop();
    this.put(JSON.parse(this.now));
    this.show();
  }
  show() {
    this.buttons[0].disabled = !this.done.length;
    this.buttons[1].disabled = !this.undone.length;
  }
}

/** A button that does something as long as it is held, by pointer or by the space bar or Enter. */
function holdButton(text, set) {
  const made = button(text, null, { class: "hold", "aria-pressed": "false" });
  const hold = (on) => () => {
    if ((made.getAttribute("aria-pressed") === "true") === on) return;
    made.setAttribute("aria-pressed", String(on));
    set(on);
  };
  made.addEventListener("pointerdown", (event) => {
    made.setPointerCapture(event.pointerId);
    hold(true)();
  });
  for (const end of ["pointerup", "pointercancel", "blur", "contextmenu"]) made.addEventListener(end, hold(false));
  made.addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") hold(true)(); });
  made.addEventListener("keyup", hold(false));
  return made;
}

/**
 * Two controls at once: a square in which a point is dragged, clicked or moved by the arrow keys. sliders: see above; their
 * ranges and values are those of the square. background(canvas, i, j): draws into it what is to be seen behind.
 */
function plane(name, controls, sliders, onDone, background = null) {
  const axes = [0, 1].map((axis) => {
    const id = `${name}-plane-${axis}`;
    const picker = element("select", { id, onchange: () => follow(true) }, ...controls.map(({ attribute }, i) => element("option", { value: i, text: attribute })));
    picker.value = Math.min(axis, controls.length - 1);
    return { picker, label: element("label", { for: id, text: axis ? "↑" : "→" }) };
  });
  const canvas = element("canvas", { "aria-hidden": "true" }), dot = element("span.dot"), home = element("span.home");
  const square = element("div.square", { tabindex: 0, role: "application" }, canvas, home, dot);
  const inputs = () => axes.map(({ picker }) => sliders[picker.value].input);
  const place = (mark, at) => {
    mark.style.left = `${100 * at[0]}%`;
    mark.style.top = `${100 - 100 * at[1]}%`;
  };
  function follow(redraw = false) {
    const shares = inputs().map((input) => (input.value - input.min) / (input.max - input.min || 1));
    place(dot, shares);
    place(home, inputs().map((input) => Number(input.parentElement.style.getPropertyValue("--mark"))));
    const chosen = axes.map(({ picker }) => controls[picker.value].attribute);
    square.setAttribute("aria-label", `${chosen[0]} to the right ${(100 * shares[0]).toFixed(0)} %, ${chosen[1]} upwards `
      + `${(100 * shares[1]).toFixed(0)} % of their ranges; move with the arrow keys`);
    if (redraw && background) background(canvas, ...axes.map(({ picker }) => Number(picker.value)));
  }
  function go(shares) {
    inputs().forEach((input, axis) => {
      input.value = Number(input.min) + clamp(shares[axis], 0, 1) * (input.max - input.min);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    soon(follow);
  }
  const drag = (event) => {
    const box = square.getBoundingClientRect();
    go([(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height]);
  };
  square.addEventListener("pointerdown", (event) => {
    square.setPointerCapture(event.pointerId);
    drag(event);
  });
  square.addEventListener("pointermove", (event) => { if (square.hasPointerCapture(event.pointerId)) drag(event); });
  square.addEventListener("pointerup", onDone);
  square.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    go(inputs().map((input, axis) => (input.value - input.min) / (input.max - input.min) + step[axis] / 20));
    onDone();
  });
  const root = element("div.plane", {}, square, ...axes.map(({ label, picker }) => element("span.pair", {}, label, picker)));
  return { root, follow, square };
}

/** A value at random within the range of every slider. */
function randomise(sliders) {
  for (const { input } of sliders) {
    input.value = Number(input.min) + Math.random() * (input.max - input.min);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** By how much another model's code moves when one of the first model's dimensions moves by `shift`: as many standard
 * deviations, in the direction in which the attribute grows; within what its codes span. */
function sameMove(z, controls, others, shifts) {
  const moved = [...z];
  others.forEach((other, i) => {
    const at = z[other.dimension], by = (shifts[i] / controls[i].sd) * other.sd * other.sign * controls[i].sign;
    if (by) moved[other.dimension] = clamp(moved[other.dimension] + by, Math.min(other.low, at), Math.max(other.high, at));
  });
  return moved;
}
