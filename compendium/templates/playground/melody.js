"use strict";
// The melody's panel: a tune of any length, each measure with a code of its own; controls move the codes of all measures, of
// some, or of one. A measure whose code nobody moved stays as it was written.

const FORMATS = { ".mid": "MIDI", ".musicxml": "MusicXML", ".abc": "ABC" };
// What a file has beside its notes, once a patch keeps it and once nothing does.
const KEPT = { midi: "the instrument, controllers and bends stay, and measures you do not change keep their velocities; the other formats lose them.",
  true: "measures you do not change keep their grace notes, ornaments, slurs and other marks; the other formats do not." };
const MARKED = { midi: "Its instrument, velocities, controllers and bends", true: "Grace notes, ornaments, slurs and other marks of this file" };
const UNLINKED = "The file itself is too long for a link: opened by one, the tune is written anew. ";
const UNSAVED = " are not saved here; the command line (python -m arvae.edit) keeps them in measures it does not change, in a file of the same format.";
const LINKED = 20000; // characters of a file that a link takes along
const carried = (melody) => (melody.source?.content?.length > LINKED ? { ...melody, source: { ...melody.source, content: null } } : melody);

function melodyPanel(panel) {
  const { name } = panel, SLICE = 30, TEMPO = 110; // milliseconds of decoding before something is shown; quarter notes a minute
  let style, item; // the model and its melodies; the melody
  const own = []; // melodies from files
  const state = { style: panel.styles[0].name, item: 0, chosen: null, first: 0, shifts: [], measures: [], others: [], plain: [],
    inKey: false, beside: false, hearing: "now", milliseconds: 0, tempo: TEMPO };
  const kept = new Map(); // what did not change is not decoded again
  const history = new History(snapshot, restore);
  const done = () => history.mark();

  // ---------------------------------------------------------------- what can be operated
  const sliders = panel.styles[0].controls.map((control, i) => slider(name, control, (value) => turn(i, value), done));
  const choice = (id, label, options, onchange) => {
    const picker = element("select", { id: `${name}-${id}`, onchange: () => onchange(picker.value) }, ...options);
    return [picker, element("span.pair", {}, element("label", { for: picker.id, text: label }), picker)];
  };
  const check = (id, text, onchange) => {
    const box = element("input", { type: "checkbox", id: `${name}-${id}`, onchange: () => { onchange(box.checked); done(); } });
    const label = element("label", { for: box.id }, box, element("span", { text: ` ${text}` }));
    return [box, label];
  };
  const [stylePicker, styleRow] = choice("style", "model", panel.styles.map((one) => element("option", { value: one.name, text: one.title })),
    (value) => { pickStyle(value, true); done(); });
  const [itemPicker, itemRow] = choice("item", "melody", [], (value) => { pickItem(Number(value)); done(); });
  const strip = measureStrip(name, (chosen) => { choose(chosen); done(); });
  const square = plane(name, panel.styles[0].controls, sliders, done);
  const staff = element("div.music.score", { role: "group", "aria-label": "score" });
  const roll = element("div.music.roll", { role: "group", "aria-label": "piano roll" });
  for (const one of [staff, roll]) {
    one.addEventListener("click", (event) => {
      const measure = event.target.dataset?.measure;
      if (measure === undefined) return;
      const only = state.chosen?.size === 1 && state.chosen.has(Number(measure));
      choose(only ? null : new Set([Number(measure)]));
      done();
    });
  }
  const words = element("p.unseen", { role: "status" });
  const play = button("▶ Play", () => (player.playing ? player.stop() : start()), { class: "play" });
  const hold = holdButton("Hold: original", (on) => hear(on));
  const tempo = element("input", { type: "range", id: `${name}-tempo`, min: 40, max: 220, value: TEMPO, oninput: () => setTempo(tempo.value), onchange: done });
  const tempoSaid = element("output", { for: tempo.id, text: TEMPO });
  const [keyBox, keyLabel] = check("in-key", "in key", (on) => { state.inKey = on; soon(draw); });
  const [besideBox, besideLabel] = check("beside", "the other model beside, same moves", (on) => { state.beside = on; hear(); });
  const [besideHeard, besideHeardLabel] = check("beside-heard", "hear that one", () => hear());
  function hear(original = false) {
    state.hearing = original ? "original" : state.beside && besideHeard.checked ? "beside" : "now";
    soon(draw);
  }
  const cost = element("p.cost", { role: "status" });
  const page = (by) => { state.first = clamp(state.first + by * shownAtOnce(), 0, item.original.length - 1); soon(draw); };
  const earlier = button("←", () => page(-1), { "aria-label": "earlier measures" }), further = button("→", () => page(1), { "aria-label": "later measures" });
  const player = new Player((measure) => heard().filter((note) => note.measure === measure)
    .map((note) => ({ ...note, pitch: note.pitch - item.shift, start: note.start - measure * MEASURE })), 1, () => {
    play.textContent = "▶ Play";
    soon(moveHead);
  });

  // ---------------------------------------------------------------- what is chosen, and how far it is moved
  const shownAtOnce = () => (staff.clientWidth > 620 ? 8 : 4);
  const chosen = (m) => state.chosen === null || state.chosen.has(m);
  const moved = () => item.original.map((_, m) => m).filter(chosen);
  const touched = (m) => state.shifts[m].some((shift) => shift !== 0);
  const heard = () => toNotes({ original: item.original, beside: state.others }[state.hearing] ?? state.measures);
  /** The codes of all measures by a model, made in one go where they are not there yet; equal measures share one. */
  const codesBy = (model, codes) => {
    const missing = new Map(item.original.flatMap((measure, m) => (codes[m] ? [] : [[String(measure), measure]])));
    if (missing.size) {
      const made = codecs[model].encode([...missing.values()].map((measure) => toTokens(measure, style.vocabulary)));
      const found = new Map([...missing.keys()].map((key, i) => [key, made[i]]));
      item.original.forEach((measure, m) => { codes[m] ??= found.get(String(measure)); });
    }
    return codes;
  };
  const codeOf = (m) => item.z[m] ?? codesBy(state.style, item.z)[m];
  const otherCode = (m) => item.other[m] ?? codesBy(style.beside.name, item.other)[m];
  // A slider's value is how far the chosen measures' codes are moved; each stays within what codes of the data span.
  const code = (m) => {
    const z = [...codeOf(m)];
    style.controls.forEach((control, i) => {
      const at = z[control.dimension];
      z[control.dimension] = clamp(at + state.shifts[m][i], Math.min(control.low, at), Math.max(control.high, at));
    });
    return z;
  };
  const scale = () => item.key.scale(item.original.flat().filter((symbol) => symbol >= 0).map((pitch) => pitch - item.moved));
  /** Which tokens may be chosen: notes of the scale, and all that are none. */
  const allowed = () => {
    const own = scale(), { lowest, pitches } = style.vocabulary;
    return Array.from({ length: pitches + 4 }, (_, token) => token >= pitches || own.has((token + lowest - item.moved + 144) % 12));
  };

  function pickStyle(value, keep = false) {
    player.stop();
    const before = keep && state.item >= style?.items.length ? state.item - style.items.length : null;
    state.style = stylePicker.value = value;
    style = panel.styles.find((one) => one.name === value);
    besideLabel.hidden = !style.beside;
    if (!style.beside) state.beside = besideBox.checked = false;
    hear();
    if (style.beside) besideLabel.lastChild.textContent = ` ${style.beside.title} beside, same moves`;
    listItems();
    pickItem(before === null ? 0 : style.items.length + before);
  }
  function listItems() {
    const all = [...style.items, ...own];
    itemPicker.replaceChildren(...all.map((one, i) => element("option", { value: i, text: one.title ?? one.name })));
  }
  function pickItem(index) {
    player.stop();
    const given = index < style.items.length ? style.items[index] : own[index - style.items.length];
    const original = given.original ?? given.measures, beside = style.beside?.codes[index];
    item = { name: given.name, title: given.title ?? given.name, original, shift: given.shift ?? 0, tempo: given.tempo ?? null,
      composer: given.composer ?? "", signs: given.signs ?? {}, marks: given.marks ?? false, filled: given.filled ?? [], transpose: given.transpose ?? 0,
      source: given.source ?? null,
      z: given.z ? [...given.z] : [], other: given.z && beside ? [...beside] : [] };
    item.moved = item.shift + item.transpose; // how far the model reads it above how it is written
    item.key = given.key ?? estimateKey(transposed(original, -item.moved));
    kept.clear();
    Object.assign(state, { item: index, chosen: null, first: 0, shifts: original.map(() => style.controls.map(() => 0)) });
    itemPicker.value = index;
    player.measures = original.length;
    setTempo(item.tempo);
    item.pace = state.tempo; // where nobody moves it, the file's own stays as it is written
    unsaved.textContent = notKept();
    savedAs.textContent = "";
    const outside = original.flat().filter((symbol) => symbol >= 0 && !scale().has((symbol - item.moved + 144) % 12)).length;
    const rekeyed = Object.entries(item.signs).find(([, own]) => own.keys?.length); // in the order of measures
    keyLabel.lastChild.textContent = ` in key: ${item.key}${item.key.estimated ? ", estimated from its notes" : ""}; `
      + `${outside} of its own ${original.flat().filter((symbol) => symbol >= 0).length} notes lie outside the scale`
      + (rekeyed ? `; ${REKEYED.replace("{}", Number(rekeyed[0]) + 1).replace("{}", item.key)}` : "");
    strip.reset(original.length);
    soon(draw);
  }
  /** What saving keeps and loses of the file, in words. */
  function notKept() {
    const { marks, source, filled } = item, [, , fault] = (source?.content && files()[source.ending]) || [];
    const whole = Boolean(source?.content) && !fault;
    const kept = !marks ? "" : whole ? `Saved as ${FORMATS[source.ending]}, ${KEPT[marks]}`
      : MARKED[marks] + (fault ? ` cannot be kept (${fault}).` : UNSAVED);
    const full = FILLED.replace("{}", `measure${filled.length > 1 ? "s" : ""} ${inRanges(filled)}.`);
    const bars = !filled.length ? "" : whole ? `In the other formats, ${full}` : `${full[0].toUpperCase()}${full.slice(1)}`;
    return `${source && !source.content ? UNLINKED : ""}${kept} ${bars}`.trim();
  }
  /** Quarter notes a minute, null: not given; the slider shows what of it lies in its range. */
  function setTempo(value) {
    state.tempo = player.beatsPerMinute = clamp(Number(value) || TEMPO, 4, 1000); // what write_midi.py takes
    tempo.value = state.tempo;
    tempoSaid.textContent = rounded(state.tempo);
  }
  function choose(measures) {
    state.chosen = measures;
    const seen = (m) => m >= state.first && m < state.first + shownAtOnce();
    const first = measures === null ? null : Math.min(...measures);
    if (first !== null && !seen(first)) state.first = Math.floor(first / shownAtOnce()) * shownAtOnce();
    soon(draw);
  }
  const select = (measure) => choose(measure === null ? null : new Set([measure]));
  function turn(index, value) {
    for (const m of moved()) state.shifts[m][index] = value;
    soon(draw);
  }
  function reset() {
    for (const m of moved()) state.shifts[m].fill(0);
    soon(draw);
    done();
  }

  // ---------------------------------------------------------------- melodies of one's own
  const file = element("input", { type: "file", class: "unseen", tabindex: -1, "aria-label": "a melody from a file",
    accept: Object.values(ENDINGS).flat().join(","), onchange: () => {
      if (file.files[0]) open(file.files[0]);
      file.value = "";
    } });
  const pasted = element("textarea", { id: `${name}-pasted`, rows: 6, spellcheck: "false", placeholder: "X:1\nT:Title\nM:4/4\nL:1/8\nK:G\nGABc d2 e2 | ..." });
  const fault = element("div.refusal", { role: "alert" }), adapted = element("p.about", { role: "status" });
  const open = async (given) => read(given.name, new Uint8Array(await given.arrayBuffer()));
  async function read(title, bytes, options = {}) {
    fault.replaceChildren();
    adapted.textContent = "";
    try {
      const found = await readMelody(title, bytes, style.vocabulary, options);
      adapted.textContent = found.adapted.join("; ");
      addOwn(found);
      history.mark();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const again = (more, text) => button(text, () => read(title, bytes, { ...options, ...more }));
      const asked = { monophonic: "Keep the highest voice", quantize: "Move onsets to the grid", transpose: "Transpose into the range" };
      fault.replaceChildren(element("p.fault", { text: error.message }), element("div.row", {},
        ...(error.options.length ? [again(Object.fromEntries(error.options.map((one) => [one, true])), error.options.map((one) => asked[one]).join(" and "))] : []),
        ...(error.choices ?? []).map(([kind, value, text]) => again({ [kind]: value }, text))));
    }
  }
  function addOwn(melody) {
    const known = own.findIndex((one) => JSON.stringify(one) === JSON.stringify(melody));
    const place = known < 0 ? own.push(melody) - 1 : known;
    listItems();
    pickItem(style.items.length + place);
  }

  // ---------------------------------------------------------------- undo, and the link that takes a state along
  function snapshot() {
    const shifts = Object.fromEntries(state.shifts.flatMap((row, m) => (touched(m) ? [[m, row.map((v) => Math.round(1e3 * v) / 1e3)]] : [])));
    const mine = state.item - style.items.length;
    return { style: state.style, item: state.item, shifts, chosen: state.chosen && [...state.chosen], inKey: state.inKey, beside: state.beside,
      tempo: state.tempo, ...(mine >= 0 ? { own: { ...carried(own[mine]), key: own[mine].key && { ...own[mine].key } } } : {}) };
  }
  function restore({ style: wanted, item: index, shifts, chosen: measures, inKey, beside, tempo: beats, own: given }) {
    const playing = player.playing;
    if (wanted !== state.style) pickStyle(wanted);
    let place = index;
    if (given) {
      const text = JSON.stringify(given), isThat = (one) => JSON.stringify(carried(one)) === text, at = index - style.items.length;
      let mine = own[at] && isThat(own[at]) ? at : own.findIndex(isThat);
      if (mine < 0) {
        const { alters, tonic, mode, estimated } = given.key ?? {};
        mine = own.push({ ...given, key: given.key && new Key(alters, tonic, mode, estimated) }) - 1;
        listItems();
      }
      place = style.items.length + mine;
    }
    if (place !== state.item || !item || wanted !== state.style) pickItem(place);
    state.shifts = item.original.map((_, m) => shifts[m] ?? style.controls.map(() => 0));
    Object.assign(state, { inKey, beside: beside && Boolean(style.beside) });
    keyBox.checked = inKey;
    besideBox.checked = state.beside;
    hear();
    setTempo(beats);
    choose(measures && new Set(measures));
    if (playing && !player.playing) start();
  }

  // ---------------------------------------------------------------- decode and show
  function decodeAll() {
    const begun = performance.now(), filter = state.inKey ? allowed() : null, rows = item.original;
    let complete = true;
    const decoded = (kind, m, model, z, only) => {
      const key = `${z.join()}|${only ? "in key" : ""}`, place = `${kind} ${m}`;
      if (kept.get(place)?.key !== key) {
        if (performance.now() - begun > SLICE) { // the rest in the next frame; until then what it was
          complete = false;
          return kept.get(place)?.symbols ?? rows[m];
        }
        kept.set(place, { key, symbols: toSymbols(decoders[model](z, only).tokens, style.vocabulary) });
      }
      return kept.get(place).symbols;
    };
    const order = rows.map((_, m) => m).sort((a, b) => distance(a) - distance(b));
    const result = { measures: [], plain: [], others: [] };
    for (const m of order) {
      const edited = touched(m);
      result.measures[m] = edited ? decoded("now", m, state.style, code(m), filter) : rows[m];
      result.plain[m] = edited && filter ? decoded("plain", m, state.style, code(m), null) : result.measures[m];
      const move = () => sameMove(otherCode(m), style.controls, style.beside.controls, state.shifts[m]);
      result.others[m] = edited && state.beside ? decoded("beside", m, style.beside.name, move(), filter) : rows[m];
    }
    Object.assign(state, result, { milliseconds: performance.now() - begun });
    if (!complete) soon(draw);
    return complete;
  }
  const distance = (m) => (m >= state.first && m < state.first + shownAtOnce() ? 0 : 1000) + m;

  function draw() {
    state.complete = decodeAll();
    const shown = state.hearing === "original" ? item.original : state.measures, many = shownAtOnce();
    const key = item.key.moved(item.moved), notes = toNotes(shown), before = toNotes(item.original);
    const pitches = [...notes, ...before].map((note) => note.pitch), range = [Math.min(...pitches) - 2, Math.max(...pitches) + 2];
    const row = many / 2, rows = [], last = Math.min(state.first + many, shown.length);
    for (let m = state.first; m < last; m += row) rows.push([m, Math.min(row, last - m)]);
    const score = (some, label) => rows.map(([m, count]) => staffRow(some, m, count, key, chosen, label)).join("");
    staff.innerHTML = (state.hearing === "original" ? score(notes, "The original") : score(notes, "Score"))
      + (state.beside ? `<p class="about">${names(style.beside.title)}, the same moves</p>${score(toNotes(state.others), style.beside.title)}` : "");
    roll.innerHTML = rows.map(([m, count]) => rollRow(notes, before, m, count, chosen, range)).join("");
    strip.show(shown, item.original, state.chosen, touched, [state.first, many]);
    earlier.disabled = state.first === 0;
    further.disabled = last >= shown.length;
    besideHeardLabel.hidden = !state.beside;
    words.textContent = `Notes: ${inWords(notes.filter((note) => note.measure >= state.first && note.measure < last), key)}`;
    const number = (value) => value.toFixed(2).replace("-", "−"), values = (some) => mean(moved().map((m) => musicAttributes(some[m])));
    const [from, now, other] = [item.original, shown, state.others].map(values);
    style.controls.forEach((control, i) => {
      const codes = moved().map((m) => codeOf(m)[control.dimension]);
      const low = Math.min(0, control.low - Math.max(...codes)), high = Math.max(0, control.high - Math.min(...codes));
      const shift = sum(moved().map((m) => state.shifts[m][i])) / codes.length;
      sliders[i].set(shift, [low, high], 0, [[`${number(from[i])} → `], [number(now[i]), "b"],
        [`${signed(shift / control.sd)} sd${state.beside ? `, beside ${number(other[i])}` : ""}`, "small"]]);
    });
    square.follow();
    cost.textContent = state.inKey ? costs() : "";
    if (player.playing) moveHead();
  }
  /** What staying in the key costs, in words. */
  function costs() {
    const edited = item.original.map((_, m) => m).filter(touched);
    if (!edited.length) return "In key: nothing is edited yet.";
    const outside = edited.flatMap((m) => state.plain[m]).filter((s) => s >= 0 && !scale().has((s - item.moved + 144) % 12)).length;
    const values = (some) => mean(edited.map((m) => musicAttributes(some[m]))), [free, held] = [state.plain, state.measures].map(values);
    const changed = style.controls.flatMap(({ attribute }, i) => (Math.abs(free[i] - held[i]) < 0.005 ? []
      : [`${attribute} ${held[i].toFixed(2)} instead of ${free[i].toFixed(2)}`]));
    return `In key: ${outside} note${outside === 1 ? "" : "s"} outside ${item.key} avoided in the edited measures; `
      + (changed.length ? changed.join(", ") : "no attribute changed by it") + ".";
  }
  function start() {
    player.beatsPerMinute = state.tempo;
    player.start(state.chosen === null ? 0 : Math.min(...state.chosen));
    play.textContent = "■ Stop";
    moveHead();
  }
  function moveHead() {
    const now = player.now();
    if (now !== null) {
      const measure = Math.floor(now / MEASURE), many = shownAtOnce();
      strip.row.querySelector(".playing")?.classList.remove("playing");
      strip.row.children[measure]?.classList.add("playing");
      if (measure < state.first || measure >= state.first + many) {
        state.first = Math.floor(measure / many) * many;
        strip.scrollTo(measure);
        soon(draw);
      }
    } else strip.row.querySelector(".playing")?.classList.remove("playing");
    for (const line of roll.querySelectorAll(".playhead")) {
      const first = line.dataset.first * MEASURE, here = now !== null && now >= first && now < first + line.dataset.count * MEASURE;
      const x = here ? ROLL.left + (now - first) * ROLL.unit : -9;
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
    if (player.playing) requestAnimationFrame(moveHead);
  }

  // ---------------------------------------------------------------- to take home
  /** By ending what is saved: content, type and, where the tune's own file cannot take it up, why. */
  function files() {
    while (!decodeAll()); // a long tune is decoded over several frames
    const sounding = { original: item.original, beside: state.others }[state.hearing] ?? state.measures;
    const measures = asWritten(sounding, item.original, item.shift), beats = rounded(state.tempo);
    const without = ([m, own]) => [m, { ...own, chords: [] }]; // what is written of a transposing instrument sounds otherwise
    const signs = item.transpose ? Object.fromEntries(Object.entries(item.signs).map(without)) : item.signs;
    const how = { title: item.title, key: item.key.moved(item.transpose), length: measures.length * MEASURE, signs };
    const written = { title: item.title, composer: item.composer, key: item.key, transpose: item.transpose, signs: item.signs };
    const asRead = transposed(measures, -item.transpose);
    const made = { ".mid": [midiFile(toNotes(measures), state.tempo, how), "audio/midi"],
      ".musicxml": [musicXmlFile(asRead, beats, written), "application/vnd.recordare.musicxml+xml"],
      ".abc": [abcFile(asRead, beats, written), "text/vnd.abc"] };
    const own = item.source?.content && made[item.source.ending];
    try {
      if (own) own[0] = patched(item.source, transposed(item.original, -item.shift), measures, state.tempo === item.pace ? null : state.tempo);
    } catch (error) { // whatever it is (a link may hold anything): what is edited can be saved
      own.push(error.message);
    }
    return made;
  }
  const unsaved = element("p.about", { role: "status" }), savedAs = element("p.about", { role: "status" });
  const save = (ending) => () => {
    const [content, type, fault] = files()[ending];
    savedAs.textContent = fault ? `The ${FORMATS[ending]} file was written anew: what else is in yours cannot be kept (${fault}).` : "";
    saveFile(content, type, `${item.title} edited`, ending);
  };

  const root = element("section.panel.melody", { id: `panel-${name}`, "aria-label": panel.title },
    element("div.head", {}, element("h2", { text: panel.title }), element("span.tools", {}, ...history.buttons, button("Reset", reset))),
    element("p.about", { text: panel.about }),
    element("div.row", {}, styleRow, itemRow, file, button("Open a file …", () => file.click()),
      element("span.about", { text: "MIDI, MusicXML or ABC; or drop it here" })),
    element("details.own", {}, element("summary", { text: "Paste ABC" }), element("label.unseen", { for: pasted.id, text: "ABC notation" }), pasted,
      element("div.row", {}, button("Read it", () => read("pasted.abc", new TextEncoder().encode(pasted.value))))),
    fault, adapted, strip.root,
    element("div.sticky", {}, staff,
      element("div.row.transport", {}, play, hold, earlier, further)),
    roll, words,
    element("div.row", {}, element("span.pair", {}, element("label", { for: tempo.id, text: "tempo" }), tempo, tempoSaid),
      besideLabel, besideHeardLabel),
    element("div.row", {}, keyLabel),
    cost,
    element("div.board", {}, element("div.sliders", {}, ...sliders.map((one) => one.row),
      element("div.row", {}, button("Randomise", () => { randomise(sliders); done(); }),
        ...Object.entries(FORMATS).map(([ending, text]) => button(`Save ${text}`, save(ending)))), unsaved, savedAs), square.root));
  // Anywhere on the page, or the browser would open the file in its place.
  const onFiles = (type, react) => document.addEventListener(type, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    root.classList.toggle("dropping", type === "dragover");
    react(event);
  });
  onFiles("dragover", () => {});
  onFiles("dragleave", () => {});
  onFiles("drop", ({ dataTransfer: { files: [dropped] }, target }) => {
    if (dropped) open(dropped);
    if (!root.contains(target)) root.scrollIntoView();
  });
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(staff.clientWidth - width) > 20) soon(draw);
    width = staff.clientWidth;
  }).observe(staff);
  return { root, state, sliders, select, choose, pickStyle, pickItem, code, draw, player, read, files, history, snapshot, restore, strip,
    plane: square, item: () => item, begin: () => pickStyle(panel.styles[0].name), recolour: () => {} };
}

begin();
