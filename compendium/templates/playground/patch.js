"use strict";
// An edited tune back in the file it was read from, as `Source.patched` in arvae/edit/melody.py and arvae/music/patch_*.py have it:
// only bars with other notes are written anew, everything else stays. The refusals are in the same words.

/** A change that the file as it is written cannot take up. */
class UnkeptError extends Error {}

/**
 * The file with measures `after` for `before`, as they sound, and another tempo (null: its own; later ones change in proportion).
 * source: what a melody was read from: {ending, content, place: of its part, options: [monophonic, quantize]}; of ABC, content is the
 * one tune, of MIDI base64. Raises UnkeptError, or TuneError, where it cannot be.
 */
function patched({ ending, content, place, options }, before, after, tempo) {
  const { read, patch } = PATCHES[ending], score = read(content), part = score.parts[place];
  const made = patch(content, place, rewritten(part, before, after), tempo && [tempo, score.tempo], part, after), again = read(made);
  if (tempo && Math.abs((again.tempo ?? 0) / tempo - 1) > 0.01) throw new UnkeptError("its tempo is not written in numbers");
  if (again.parts.length !== score.parts.length) throw new UnkeptError("the part would have no notes");
  const sounding = (measures) => toNotes(measures).map(({ pitch, start, length }) => [pitch, start, length]).join();
  if (sounding(measuresOf(again.parts[place], ...options)) !== sounding(after)) throw new UnkeptError("they would be read differently");
  const [sung, now] = [part, again.parts[place]].map(besideOf), lyrics = (signs, m) => String(signs[m]?.lyrics ?? "");
  if (after.some((row, m) => String(row) === String(before[m]) && lyrics(sung, m) !== lyrics(now, m))) {
    throw new UnkeptError("syllables of other measures would move");
  }
  return made;
}
const PATCHES = {
  ".abc": { read: (text) => readAbcTune(chooseTune(abcTunes(text), null, () => {})), patch: patchAbc },
  ".musicxml": { read: (text) => musicXmlScore(xmlRoot(text)), patch: patchMusicXml },
  ".mid": { read: (content) => readMidi(typeof content === "string" ? bytesOf(content) : content), patch: patchMidi },
};

/**
 * The bars of a part that reach into measures which changed, by their index: {start, glyphs}, as they sound, in twelfths from the
 * start of the measure that the bar starts in. A bar that is shorter than its measure (a pick-up) becomes longer where notes were
 * added beside it.
 */
function rewritten(part, before, after) {
  const changed = (m) => before[m].join() !== after[m].join(), laid = fullBars(part.bars), [starts, ends] = edgesOf(laid), cuts = {};
  for (const edge of [...starts, ...ends].sort((a, b) => a - b)) (cuts[Math.floor(edge / MEASURE)] ??= []).push(edge % MEASURE);
  const glyphs = notate(after, cuts).flatMap((row, m) => row.map((one) => ({ ...one, at: one.at + m * MEASURE })));
  const onsets = glyphs.filter(({ symbol, tiedBefore }) => symbol >= 0 && !tiedBefore).map(({ at }) => at), found = new Map();
  laid.bars.forEach((bar, i) => {
    const first = Math.floor(starts[i] / MEASURE), last = Math.floor((ends[i] - 1) / MEASURE), moved = first * MEASURE, end = ends[i];
    if (!after.some((_, m) => first <= m && m <= last && changed(m))) return;
    const opening = Math.max(moved, ends[i - 1] ?? 0), closing = Math.min((last + 1) * MEASURE, starts[i + 1] ?? MEASURE * after.length);
    const start = onsets.some((at) => opening <= at && at < starts[i]) ? opening : starts[i];
    const beyond = glyphs.filter(({ at }) => end <= at && at < closing), held = beyond.length > 0 && beyond.every(({ tiedBefore }) => tiedBefore);
    const inside = glyphs.filter(({ at }) => start <= at && at < end), final = inside[inside.length - 1];
    if (!final) throw new UnkeptError(`bar ${bar.number} would be empty`);
    if (held) inside[inside.length - 1] = { ...final, tied: false }; // through what the bar lacks, as it is read
    else if (beyond.some(({ symbol }) => Math.max(symbol, final.symbol) >= 0)) inside.push(...beyond);
    found.set(part.bars.indexOf(bar), { start: start - moved, glyphs: inside.map((one) => ({ ...one, at: one.at - moved })) });
  });
  return found;
}
/** Glyphs, their notes raised by so many semitones. */
const raised = (glyphs, by) => glyphs.map((one) => (one.symbol >= 0 ? { ...one, symbol: one.symbol + by } : one));

// ---------------------------------------------------------------- ABC

const ABC_NAVIGATION = new RegExp(`${JUMP.source}|segno|coda|fine`, "i"), ABC_TEMPO = /((?:^|\[)Q:[^\]%\n]*?=\s*)(\d+(?:\.\d+)?)/gm;
const NOT_OF_NOTES = ["bar", "ending", "named", "field"], SOUNDING = ["note", "rest", "chord"];

/** The tune with these bars of its part number `place` written anew; all else stays, character by character. */
function patchAbc(tune, place, bars, pace) {
  const { sources } = abcVoices(tune)[place], edits = new Map();
  const edit = (start, end, text) => edits.set(`${start} ${end}`, [start, end, text]);
  const writtenIn = ({ unit, key }) => `${unit} ${Object.entries(key).sort()}`;
  for (const [index, { start, glyphs: sounding }] of bars) {
    const tokens = sources[index].filter(({ kind }) => !NOT_OF_NOTES.includes(kind));
    const notes = tokens.flatMap(({ kind }, at) => (SOUNDING.includes(kind) ? [at] : []));
    const inside = tokens.slice(notes[0], notes[notes.length - 1] + 1), [first] = inside, [begin] = sources[index];
    if (!notes.length || inside.some((token) => writtenIn(token) !== writtenIn(first))) {
      throw new UnkeptError("a bar changes its key or its unit, or is one of several in a rest");
    }
    const words = inside.map((token) => [start + Math.trunc(12 * token.now.minus(begin.now)), besideNotes(token).trim()]);
    const glyphs = raised(sounding, -first.transpose);
    for (const token of tokens) edit(token.start, token.end, inside.includes(token) ? "" : besideNotes(token));
    edit(first.start, first.end, abcBar(glyphs, new Key(first.key), first.unit, words));
    if (index && !bars.has(index - 1)) tieAbc(sources[index - 1], glyphs[0].tiedBefore, edit);
  }
  singAbc(tune, sources, bars, edit);
  const sorted = [...edits.values()].sort((a, b) => b[0] - a[0] || b[1] - a[1]);
  const made = sorted.reduce((text, [start, end, own]) => text.slice(0, start) + own + text.slice(end), tune);
  if (!pace) return made;
  const [tempo, given] = pace;
  return given ? made.replace(ABC_TEMPO, (_, head, number) => head + rounded(number * (tempo / given)))
    : made.replace(/^(?=K:)/m, `Q:1/4=${rounded(tempo)}\n`);
}

/** What of a token is no note's own: chord symbols, words, !D.S.! and its like, segno (S), coda (O). */
function besideNotes({ text, kind }) {
  if ('"!+'.includes(text[0])) return text[0] === '"' || ABC_NAVIGATION.test(text) ? text : "";
  return kind ? "" : text.replace(/[^SO\s]/g, "");
}

/** Give the notes of bars written anew the syllables of those bars, in order, as far as there are notes. */
function singAbc(tune, sources, bars, edit) {
  const lines = new Map(); // where a line of notes starts -> its bars -> their notes
  sources.forEach((tokens, index) => {
    for (const { kind, line } of tokens) {
      if (kind !== "note" && kind !== "chord") continue;
      if (!lines.has(line)) lines.set(line, new Map());
      lines.get(line).set(index, (lines.get(line).get(index) ?? 0) + 1);
    }
  });
  for (const [at, counts] of lines) {
    let below = tune.indexOf("\n", at) + 1 || tune.length;
    while (tune.startsWith("w:", below)) {
      const stop = tune.indexOf("\n", below), end = stop < 0 ? tune.length : stop, places = [...counts.keys()];
      const sung = abcSyllables(tune.slice(below + 2, end), [...counts.values()]).map((slots, i) => {
        if (!bars.has(places[i])) return slots.join(" ");
        const own = slots.filter((slot) => slot !== "*" && slot !== "_"), notes = bars.get(places[i]).glyphs.filter(({ symbol }) => symbol >= 0);
        return notes.map(({ tiedBefore }) => (tiedBefore ? "_" : own.shift() ?? "*")).join(" ");
      });
      if (places.some((index) => bars.has(index))) edit(below + 2, end, ` ${sung.join(" | ")}`);
      below = end + 1;
    }
  }
}

/** Tie the last note of a bar that stays as it is to the next one, or no longer. */
function tieAbc(tokens, wanted, edit) {
  const last = [...tokens].reverse().find(({ kind }) => SOUNDING.includes(kind) || kind === "tie");
  if (last?.kind === "tie" && !wanted) edit(last.start, last.end, "");
  else if (last && last.kind !== "tie" && wanted) edit(last.end, last.end, "-");
}

// ---------------------------------------------------------------- MusicXML

const XML_LATER = ["editorial", "footnote", "level", "voice", "staff", "sound", "listening"]; // what stands behind an <offset>

/** The file with these bars of its part number `place` written anew; what else stands in them keeps its place and its time. */
function patchMusicXml(text, place, bars, pace) {
  const root = xmlRoot(text), { node, staff, many } = musicXmlParts(root)[place], measures = children(node, "measure"), ready = [];
  if (root.localName !== "score-partwise" || many > 1) throw new UnkeptError("its notes stand among those of other staves");
  if (pace) paceMusicXml(root, ...pace);
  let divisions = fraction(1), key = Key.of(0), by = {};
  for (const measure of measures) {
    for (const item of children(measure, "attributes")) {
      const given = xmlNumber(textOf(item, "divisions"));
      if (+given) divisions = given;
      key = xmlKey(item) ?? key;
      by = xmlTranspose(item, by);
    }
    ready.push({ divisions, key, transpose: by[staff] ?? by[""] ?? 0 });
  }
  const lengths = [...bars].flatMap(([index, { glyphs }]) => glyphs.map(({ length }) => fraction(length, 12).times(ready[index].divisions)));
  const factor = lengths.reduce((all, { under }) => fraction(all, under).over * under, 1); // the least common multiple
  for (const item of factor > 1 ? node.querySelectorAll("divisions, duration, offset") : []) {
    item.textContent = xmlPlain(unkeptNumber(item).times(factor));
  }
  for (const [index, { start, glyphs: sounding }] of bars) {
    const own = ready[index], glyphs = raised(sounding, -own.transpose);
    fillMeasure(measures[index], start, glyphs, own.key, own.divisions.times(factor));
    for (const [beside, kind, wanted] of [[index - 1, "start", glyphs[0].tiedBefore], [index + 1, "stop", glyphs[glyphs.length - 1].tied]]) {
      const notes = measures[beside] && !bars.has(beside) ? children(measures[beside], "note") : [];
      if (notes.length) tieMusicXml(notes[kind === "start" ? notes.length - 1 : 0], kind, wanted);
    }
  }
  const [, , doctype = ""] = /^\s*(<\?xml[^>]*>)?\s*(<!DOCTYPE[^>[]*>)?/.exec(text);
  return `<?xml version="1.0" encoding="utf-8"?>\n${doctype && `${doctype}\n`}${new XMLSerializer().serializeToString(root)}\n`;
}
const xmlPlain = (number) => (number.under === 1 ? String(number) : String(Number((+number).toPrecision(6))));
const xmlMade = (like, tag, attributes = {}) => {
  const made = document.createElementNS(like.namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};
function unkeptNumber(item) {
  try {
    return xmlNumber(item.textContent);
  } catch (error) { // an <offset>, which no reader looked at
    throw new UnkeptError(error.message);
  }
}

/** Let it have that tempo for the given one, and others in proportion. */
function paceMusicXml(root, tempo, given) {
  if (!given && root.querySelector("per-minute")) throw new UnkeptError("its tempo is not one that sounds");
  if (!given) root.querySelector("measure").prepend(xmlMade(root, "sound", { tempo: rounded(tempo) }));
  const faster = (text) => text.replace(/\d+(\.\d+)?/g, (found) => rounded((found * tempo) / (given || tempo)));
  for (const sign of root.querySelectorAll("per-minute")) sign.textContent = faster(sign.textContent);
  for (const sound of root.querySelectorAll("sound[tempo]")) sound.setAttribute("tempo", faster(sound.getAttribute("tempo")));
}

/** Put glyphs in the place of a bar's notes; what else stands there keeps its time, lyrics their order. */
function fillMeasure(measure, start, glyphs, key, divisions) {
  const notes = children(measure, "note").filter((note) => !child(note, "grace"));
  const voice = notes.map((note) => textOf(note, "voice")).find((own) => own !== null) ?? "1";
  const sung = notes.map((note) => children(note, "lyric")).filter((lyrics) => lyrics.length), waiting = [], content = [];
  let now = fraction(0);
  for (const item of measure.children) {
    const tag = item.localName;
    if (tag === "backup" || tag === "forward" || tag === "note") {
      const step = xmlNumber(textOf(item, "duration")).by(divisions);
      if (tag !== "note" || !(child(item, "grace") || child(item, "chord"))) now = tag === "backup" ? now.minus(step) : now.plus(step);
    } else {
      const last = tag === "barline" && (item.getAttribute("location") ?? "right") === "right";
      waiting.push([last ? Infinity : now.times(12).plus(start), item]);
    }
  }
  waiting.sort(([a], [b]) => Number(a > b) - Number(a < b));
  const written = xmlBar(glyphs, key, divisions, voice).join(""), space = measure.namespaceURI ? ` xmlns="${names(measure.namespaceURI)}"` : "";
  const nodes = [...xmlRoot(`<measure${space}>${written}</measure>`).children];
  const singing = nodes.filter((_, i) => glyphs[i].symbol >= 0 && !glyphs[i].tiedBefore);
  sung.forEach((lyrics, i) => singing[i]?.append(...lyrics));
  nodes.forEach((node, i) => {
    const { at, length } = glyphs[i];
    while (waiting.length && waiting[0][0] < at + length) {
      const [time, item] = waiting.shift(), moves = ["harmony", "direction"].includes(item.localName);
      if (time > at && moves && !child(item, "offset")) { // it is meant so much later than where it stands
        const offset = xmlMade(item, "offset");
        offset.textContent = xmlPlain(time.minus(at).times(divisions).by(12));
        item.insertBefore(offset, [...item.children].find((one) => XML_LATER.includes(one.localName)) ?? null);
      }
      content.push(item);
    }
    content.push(node);
  });
  measure.replaceChildren(...content, ...waiting.map(([, item]) => item));
}

/** Let a note be tied to its neighbour, or no longer. */
function tieMusicXml(note, kind, wanted) {
  const all = [note, ...children(note, "notations")].flatMap((parent) => [...parent.children]);
  const ties = all.filter((one) => ["tie", "tied"].includes(one.localName) && one.getAttribute("type") === kind);
  if (!wanted) ties.forEach((tie) => tie.remove());
  if (!wanted || ties.length) return;
  const duration = child(note, "duration");
  if (!duration) throw new UnkeptError("a grace note stands where a note is to be tied");
  duration.after(xmlMade(note, "tie", { type: kind }));
  const notations = child(note, "notations") ?? note.insertBefore(xmlMade(note, "notations"), child(note, "lyric"));
  notations.prepend(xmlMade(note, "tied", { type: kind }));
}

// ---------------------------------------------------------------- MIDI

/** A number or a fraction to the nearest whole one, a half to the even one, as Python rounds. */
function evenly(number) {
  const whole = Math.round(number);
  return whole - number === 0.5 && whole % 2 ? whole - 1 : whole;
}

/** The file with other notes in these bars of its part number `place`; every other event stays, to the tick. A note that starts before
 * such a bar ends where it is wanted to. after: every measure of the part as it is to be. */
function patchMidi(content, place, bars, pace, part, after) {
  const bytes = bytesOf(content), { type, division, tracks } = midiTracks(bytes), inside = [];
  const laid = fullBars(part.bars), [starts, ends] = edgesOf(laid);
  if (!bars.size && !pace) return bytes; // to the byte, where the command line would put its events in order
  if (division >= 0x8000) throw new UnkeptError("its time is counted in frames");
  const ticks = (quarters) => quarters.times(division), within = (at) => inside.some(([first, last]) => first <= at && at < last);
  laid.bars.forEach((bar, i) => {
    const own = bars.get(part.bars.indexOf(bar));
    if (!own) return;
    if (own.start < starts[i] % MEASURE) throw new UnkeptError("a note starts before the first bar does");
    inside.push([bar.start, bar.start.plus(bar.length)].map((at) => ticks(at.minus(EARLY))));
  });
  const time = (at) => { // quarter notes from the start of the part, of a place in the measures
    const i = ends.findIndex((end) => at < end), bar = i < 0 ? laid.bars.length - 1 : i;
    return laid.bars[bar].start.plus(fraction(at - starts[bar], 12));
  };
  const wanted = toNotes(after).map(({ pitch, start, length }) => [ticks(time(start)), ticks(time(start + length)), pitch]);
  if (pace) paceMidi(tracks, ...pace);
  const parts = tracks.flatMap((events) => {
    const sounding = events.filter(({ kind }) => kind === "note"), end = events[events.length - 1]?.time ?? 0;
    const channels = [...new Set(sounding.map(({ channel }) => channel))].sort((a, b) => a - b);
    const all = channels.map((channel) => ({ events, channel, notes: midiNotes(sounding.filter((one) => one.channel === channel), end) }));
    return all.filter(({ notes }) => notes.length);
  });
  const { events, channel, notes } = parts[place], isOwn = (one) => one.kind === "note" && one.channel === channel;
  const others = events.filter((one) => !isOwn(one)), struck = events.filter((one) => isOwn(one) && one.on);
  const loud = new Map(struck.map(({ time: at, pitch, velocity }) => [`${at} ${pitch}`, velocity]));
  const usual = [...loud.values()].sort((a, b) => a - b)[loud.size >> 1];
  const played = wanted.filter(([start]) => within(start)).map(([start, end, pitch]) => [evenly(start), evenly(end), pitch, usual]);
  for (const [start, until, pitch] of notes.filter(([at]) => !within(at))) {
    let end = until;
    for (const [first] of inside) {
      if (!(start < first && first < end - ticks(EARLY))) continue;
      const own = wanted.find(([from, to, other]) => other === pitch && from < first && first < to);
      end = Math.min(end, evenly(own ? own[1] : first.plus(ticks(EARLY))));
    }
    played.push([start, end, pitch, loud.get(`${start} ${pitch}`)]);
  }
  const ranked = [...others.map((one) => ({ ...one, rank: 1 })), ...played.flatMap(([start, end, pitch, velocity]) => [
    { time: start, rank: 2, raw: [0x90 | channel, pitch, velocity] }, { time: end, rank: 0, raw: [0x80 | channel, pitch, 64] }])];
  tracks[tracks.indexOf(events)] = ranked.sort((a, b) => a.time - b.time || a.rank - b.rank);
  return packMidi(type, division, tracks.map((track) => {
    const end = track.reduce((last, { time: at }) => Math.max(last, at), 0);
    return [...track.filter(({ kind }) => kind !== "end").map(({ time: at, raw }) => ({ at, bytes: raw })), midiMeta(end, 0x2f, [])];
  }));
}

/** Let it have that tempo for the given one, and others in proportion. */
function paceMidi(tracks, tempo, given) {
  const tempi = tracks.flat().filter(({ kind }) => kind === "tempo"), sign = (length) => midiMeta(0, 0x51, midiBig(length, 3)).bytes;
  if (!tempi.length) tracks[0].unshift({ time: 0, kind: "tempo", raw: sign(evenly(60e6 / tempo)) });
  for (const one of tempi) one.raw = sign(Math.min(evenly((one.tempo * (given || tempo)) / tempo), 0xffffff));
}
