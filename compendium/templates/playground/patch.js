"use strict";
// An edited tune back in the file it was read from, as `Source.patched` in arvae/edit/melody.py and arvae/music/patch_*.py have it:
// only bars with other notes are written anew, everything else stays. The refusals are in the same words.

/** A change that the file as it is written cannot take up. */
class UnkeptError extends Error {}

/**
 * The file with measures `after` for `before`, as they sound, and another tempo (null: its own; later ones change in proportion).
 * source: what a melody was read from: {ending, content, place: of its part, options: [monophonic, quantize]}; of ABC, content is the
 * one tune. Raises UnkeptError, or TuneError, where it cannot be.
 */
function patched({ ending, content, place, options }, before, after, tempo) {
  const { read, patch } = PATCHES[ending], score = read(content), part = score.parts[place];
  const made = patch(content, place, rewritten(part, before, after), tempo && [tempo, score.tempo]), again = read(made);
  if (tempo && Math.abs((again.tempo ?? 0) / tempo - 1) > 0.01) throw new UnkeptError("its tempo is not written in numbers");
  if (again.parts.length !== score.parts.length) throw new UnkeptError("the part would have no notes");
  const sounding = (measures) => toNotes(measures).map(({ pitch, start, length }) => [pitch, start, length]).join();
  if (sounding(measuresOf(again.parts[place], ...options)) !== sounding(after)) throw new UnkeptError("they would be read differently");
  return made;
}
const PATCHES = {
  ".abc": { read: (text) => readAbcTune(chooseTune(abcTunes(text), null, () => {})), patch: patchAbc },
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
