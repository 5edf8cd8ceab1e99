"use strict";
// The melody's panel: several measures, each with a code of its own; a slider moves one measure's code or all of them.

function melodyPanel(panel) {
  const { name } = panel;
  let style; // the model and the melodies it was given: folk or bach
  let item;
  const state = { style: panel.styles[0].name, item: 0, measure: null, shifts: [], measures: [], milliseconds: 0 };
  const kept = new Map(); // measure -> {key, symbols}: what did not change is not decoded again
  const sliders = panel.styles[0].controls.map((control, i) => slider(name, control, [control.low, control.high], (value) => turn(i, value)));
  const stylePicker = element("select", { id: `${name}-style`, onchange: () => pickStyle(stylePicker.value) },
    ...panel.styles.map((one) => element("option", { value: one.name, text: one.title })));
  const itemPicker = element("select", { id: `${name}-item`, onchange: () => pickItem(Number(itemPicker.value)) });
  const scope = element("fieldset", {}, element("legend", { text: "the sliders move" }));
  const staff = element("div.music.score", { role: "group", "aria-label": "score" });
  const roll = element("div.music.roll", { role: "group", "aria-label": "piano roll", onclick: (event) => {
    const measure = event.target.dataset?.measure;
    if (measure !== undefined) select(state.measure === Number(measure) ? null : Number(measure));
  } });
  const words = element("p.unseen", { role: "status" });
  const play = element("button.play", { type: "button", text: "▶ Play", onclick: () => (player.playing ? player.stop() : begin()) });
  const original = element("input", { type: "checkbox", id: `${name}-original`, onchange: () => soon(draw) });
  const tempo = element("input", { type: "range", id: `${name}-tempo`, min: 50, max: 200, value: 110,
    oninput: () => { player.beatsPerMinute = Number(tempo.value); } });
  const player = new Player((measure) => heard().filter((note) => note.measure === measure)
    .map((note) => ({ ...note, start: note.start - measure * MEASURE })), 1, () => {
    play.textContent = "▶ Play";
    soon(moveHead);
  });

  const heard = () => toNotes(original.checked ? item.original : state.measures);
  function begin() {
    player.beatsPerMinute = Number(tempo.value);
    player.start(state.measure ?? 0);
    play.textContent = "■ Stop";
    moveHead();
  }
  function pickStyle(value) {
    player.stop();
    state.style = stylePicker.value = value;
    style = panel.styles.find((one) => one.name === value);
    itemPicker.replaceChildren(...style.items.map((one, i) => element("option", { value: i, text: one.name })));
    pickItem(0);
  }
  function pickItem(index) {
    player.stop();
    item = style.items[index];
    kept.clear();
    Object.assign(state, { item: index, measure: null, shifts: item.z.map(() => style.controls.map(() => 0)) });
    itemPicker.value = index;
    player.measures = item.z.length;
    const choices = [["all", "all measures"], ...item.z.map((_, m) => [m, `measure ${m + 1}`])];
    scope.replaceChildren(scope.firstChild, ...choices.map(([value, text]) => element("label", {},
      element("input", { type: "radio", name: `${name}-scope`, value, onchange: () => select(value === "all" ? null : value) }), text)));
    select(null);
  }
  function select(measure) {
    state.measure = measure;
    scope.querySelectorAll("input")[measure === null ? 0 : measure + 1].checked = true;
    soon(draw);
  }
  const chosen = (m) => state.measure === null || state.measure === m;
  const moved = () => item.z.map((_, m) => m).filter(chosen);

  // A slider's value is how far the chosen measures' codes are moved; each stays within what codes of the data span.
  const code = (m) => {
    const z = [...item.z[m]];
    style.controls.forEach((control, i) => {
      const at = z[control.dimension];
      z[control.dimension] = clamp(at + state.shifts[m][i], Math.min(control.low, at), Math.max(control.high, at));
    });
    return z;
  };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  function turn(index, value) {
    for (const m of moved()) state.shifts[m][index] = value;
    soon(draw);
  }
  function reset() {
    for (const m of moved()) state.shifts[m].fill(0);
    soon(draw);
  }
  function decode() {
    const start = performance.now();
    state.measures = item.z.map((_, m) => {
      const z = code(m), key = z.join();
      if (kept.get(m)?.key !== key) kept.set(m, { key, symbols: toSymbols(decoders[state.style](z).tokens, style.vocabulary) });
      return kept.get(m).symbols;
    });
    state.milliseconds = performance.now() - start;
  }
  function draw() {
    decode();
    const shown = original.checked ? item.original : state.measures;
    const notes = toNotes(shown), before = toNotes(item.original), names = spelling(before);
    const pitches = [...notes, ...before].map((note) => note.pitch);
    const range = [Math.min(60, ...pitches) - 2, Math.max(76, ...pitches) + 2];
    const wide = staff.clientWidth > 620, row = wide ? 4 : 2, rows = [];
    for (let m = 0; m < shown.length; m += row) rows.push([m, Math.min(row, shown.length - m)]);
    staff.innerHTML = rows.map(([m, count]) => staffRow(notes, m, count, names)).join("");
    roll.innerHTML = rows.map(([m, count]) => rollRow(notes, before, m, count, chosen, range)).join("");
    words.textContent = `Notes: ${inWords(notes)}`;
    const measuredBefore = mean(moved().map((m) => musicAttributes(item.original[m])));
    const measuredNow = mean(moved().map((m) => musicAttributes(shown[m])));
    style.controls.forEach((control, i) => {
      const codes = moved().map((m) => item.z[m][control.dimension]);
      const low = Math.min(0, control.low - Math.max(...codes)), high = Math.max(0, control.high - Math.min(...codes));
      const shift = mean(moved().map((m) => [state.shifts[m][i]]))[0];
      sliders[i].set(shift, [low, high],
        `${measuredBefore[i].toFixed(2)} → <b>${measuredNow[i].toFixed(2)}</b> &ensp; ${signed(shift / control.sd)} sd`);
    });
    if (player.playing) moveHead();
  }
  const mean = (rows) => rows[0].map((_, i) => sum(rows.map((row) => row[i])) / rows.length);
  function moveHead() {
    const now = player.now();
    for (const line of roll.querySelectorAll(".playhead")) {
      const first = line.dataset.first * MEASURE, here = now !== null && now >= first && now < first + line.dataset.count * MEASURE;
      const x = here ? ROLL.left + (now - first) * ROLL.unit : -9;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
    if (player.playing) requestAnimationFrame(moveHead);
  }
  function save() {
    const file = new Blob([midiFile(heard(), Number(tempo.value))], { type: "audio/midi" });
    const link = element("a", { href: URL.createObjectURL(file), download: `${state.style}-edited.mid` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  const root = element("section.panel.melody", { id: `panel-${name}`, "aria-label": panel.title },
    heading(panel),
    element("p.note", { text: panel.about }),
    element("div.row", {},
      element("span.pair", {}, element("label", { for: stylePicker.id, text: "model" }), stylePicker),
      element("span.pair", {}, element("label", { for: itemPicker.id, text: "melody" }), itemPicker)),
    staff, roll, words,
    element("div.row", {}, play,
      element("label", { for: original.id }, original, " the original"),
      element("span.pair", {}, element("label", { for: tempo.id, text: "tempo" }), tempo),
      element("button", { type: "button", text: "Save MIDI", onclick: save }),
      element("button", { type: "button", text: "Reset", onclick: reset })),
    scope,
    ...sliders.map((one) => one.row));
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(staff.clientWidth - width) > 20) soon(draw);
    width = staff.clientWidth;
  }).observe(staff);
  return { root, state, sliders, select, pickStyle, pickItem, code, draw, player,
    begin: () => pickStyle(panel.styles[0].name), recolour: () => {} };
}

begin();
