"use strict";
// A melody from a file or from pasted ABC, ready to be edited. What does not fit is refused, with what to do about it, in the
// words of `python -m arvae.edit` (arvae/edit/melody.py and arvae/music/files.py); the options are the same.

const { MONOPHONIC, QUANTIZE, PART, TUNE, JUMPS, REKEYED, FILLED } = data.grammar.words, OPTIONS = { monophonic: MONOPHONIC, quantize: QUANTIZE };
const { endings: ENDINGS, largest: LARGEST } = data.grammar, NEAR = 1 / 48;

/** A refusal; `choices`: the parts or tunes of which one is to be chosen, as [value, words]; `options`: what would help. */
class Refusal extends Error {
  constructor(message, options = [], choices = null) {
    super(message);
    Object.assign(this, { options, choices });
  }
}

/**
 * bytes of a file called `name` -> {measures, name, title, composer, shift, transpose, adapted, key, tempo, signs, marks, source}; key as
 * written, null: not given; transpose: by how many semitones it sounds higher than written; signs: see besideOf; marks: whether it
 * has ornaments, slurs or the like ("midi": velocities or the like); filled: measures, from 0, that its bars do not fill; source: see patched in
 * patch.js. given: {part, tune, monophonic, transpose, quantize}, all optional. Raises Refusal.
 */
async function readMelody(name, bytes, vocabulary, given = {}) {
  const dot = name.lastIndexOf("."), ending = dot > 0 ? name.slice(dot).toLowerCase() : "", stem = dot > 0 ? name.slice(0, dot) : name;
  const adapted = [];
  let score, part, measures, source = null, choices = null;
  try {
    if (!Object.values(ENDINGS).flat().includes(ending)) {
      const all = Object.values(ENDINGS).flat().join(", ");
      throw new TuneError(BROKEN, `files with this ending are not read: use one of ${all}`);
    }
    if (!bytes.length || bytes.length > LARGEST) {
      throw new TuneError(BROKEN, `the file has ${thousands(bytes.length)} bytes, a melody has 1 to ${thousands(LARGEST)}: export it again`);
    }
    if (given.tune != null && ending !== ".abc") throw new Refusal(`${name}: --tune is for ABC files with several tunes`);
    const offer = (found) => { choices = found; };
    if (ENDINGS.midi.includes(ending)) {
      score = readMidi(bytes);
      source = { ending: ".mid", content: base64(bytes) };
    } else if (ENDINGS.musicxml.includes(ending)) {
      source = { ending: ".musicxml", content: await musicXmlText(bytes) };
      score = musicXmlScore(xmlRoot(source.content));
    } else {
      source = { ending: ".abc", content: chooseTune(abcTunes(abcText(bytes)), given.tune ?? null, offer) };
      score = readAbcTune(source.content);
    }
    part = choosePart(score, given.part ?? null, offer);
    if (source) Object.assign(source, { place: score.parts.indexOf(part), options: [Boolean(given.monophonic), Boolean(given.quantize)] });
    measures = melodyMeasures(part, Boolean(given.monophonic), Boolean(given.quantize));
  } catch (error) {
    if (!(error instanceof TuneError)) throw error;
    const hint = error.reason === PARTS && given.part == null ? PART : error.reason === TUNES && given.tune == null ? TUNE : "";
    throw new Refusal(`${name}: ${error.message}${hint ? `. ${hint}` : ""}`, error.options ?? [], choices);
  }
  if (given.part != null) adapted.push(`part ${part.name || given.part} of the score`);
  if (part.signs?.jumps) adapted.push(JUMPS);
  if (given.quantize) adapted.push(`${movedOnsets(part)} of ${part.notes.length} onsets moved to the grid`);
  if (given.monophonic) adapted.push(`highest voice: ${measures.flat().filter((s) => s >= 0).length} of ${part.notes.length} notes kept`);
  const shift = shiftOf(measures, vocabulary, Boolean(given.transpose), name);
  if (shift) adapted.push(`moved by ${shift < 0 ? shift : `+${shift}`} semitones into the model's range, and back in what is written`);
  const { transpose = 0, key = null } = part;
  return { measures: transposed(measures, shift), name: stem, title: score.title || stem, shift, transpose, adapted, key,
    tempo: score.tempo, composer: score.composer ?? "", signs: besideOf(part), marks: part.signs?.marks ?? false,
    filled: filledOf(part, measures.length), source };
}

const transposed = (measures, by) => measures.map((measure) => measure.map((symbol) => (symbol >= 0 ? symbol + by : symbol)));

/** Of an ABC file the one tune, or the one that is named by its X: number or its title. */
function chooseTune(found, wanted, offer) {
  if (wanted === null && found.length === 1) return found[0];
  const names = found.map((text, i) => [abcField(text, "X") || String(i + 1), abcField(text, "T")]);
  const same = found.filter((_, i) => wanted !== null && names[i].includes(wanted));
  if (same.length === 1) return same[0];
  const words = names.map(([number, title]) => (title ? `${number} (${title})` : number));
  offer(names.map(([number], i) => ["tune", number, words[i]]));
  const what = wanted === null ? `${found.length} tunes` : `${same.length || "no"} tunes ${wanted}`;
  throw new TuneError(TUNES, `the file has ${what}, needed is one: of ${words.join(", ")}`);
}

/** The part that is wanted, by its number from 1 or its name; without a wish the only one that has notes with a pitch. */
function choosePart({ parts }, wanted, offer) {
  const pitched = parts.filter((part) => part.notes.length && !part.percussion);
  if (!pitched.length) throw new TuneError(SILENT, "it has no note with a pitch: choose a file that has a melody");
  const words = parts.map((part, i) => `${i + 1} (${part.name}${!part.notes.length && !part.percussion ? " (no note)" : ""})`);
  const listed = words.join(", ");
  if (pitched.length > 1) offer(parts.flatMap((part, i) => (pitched.includes(part) ? [["part", String(i + 1), words[i]]] : [])));
  if (wanted === null) {
    if (pitched.length > 1) throw new TuneError(PARTS, `it has ${parts.length} parts, needed is one: of ${listed}`);
    return pitched[0];
  }
  let found = parts.filter((part) => part.name.toLowerCase() === wanted.toLowerCase());
  if (/^\d+$/.test(wanted) && wanted >= 1 && wanted <= parts.length && !found.length) found = [parts[wanted - 1]];
  if (found.length !== 1) {
    throw new TuneError(PARTS, `it has ${found.length || "no"} parts ${quoted(wanted)}, needed is one: of ${listed}`);
  }
  if (!pitched.includes(found[0])) throw new TuneError(SILENT, `part ${wanted} has no note with a pitch: choose another of ${listed}`);
  return found[0];
}

/** The measures of a part; a refusal says by which of the options not given it would be read. */
function melodyMeasures(part, monophonic, quantize) {
  try {
    return measuresOf(part, monophonic, quantize);
  } catch (error) {
    if (!(error instanceof TuneError)) throw error;
    for (const [mono, grid] of [[true, quantize], [monophonic, true], [true, true]]) {
      try {
        measuresOf(part, mono, grid);
      } catch {
        continue;
      }
      const options = [...(mono && !monophonic ? ["monophonic"] : []), ...(grid && !quantize ? ["quantize"] : [])];
      const more = new TuneError(error.reason, `${error.detail}. ${options.map((name) => OPTIONS[name]).join(" and ")}`);
      throw Object.assign(more, { options });
    }
    throw error;
  }
}

function movedOnsets(part) {
  const lead = fraction(0).minus(part.bars[0].length).modulo(1);
  return part.notes.filter((note) => {
    const beat = +note.start.plus(lead).modulo(1);
    return Math.min(...EDGES.map((edge) => Math.abs(edge / 12 - beat))) > NEAR;
  }).length;
}

const plainName = (pitch) => `${["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"][pitch % 12]}${Math.floor(pitch / 12) - 1}`;

/** By how many semitones the melody is to be moved: 0 where it fits; octaves before others. */
function shiftOf(measures, { lowest, pitches: count }, asked, name) {
  const highest = lowest + count - 1, pitches = measures.flat().filter((symbol) => symbol >= 0);
  const least = Math.min(...pitches), most = Math.max(...pitches);
  if (lowest <= least && most <= highest) return 0;
  const found = `${name}: the melody goes from ${plainName(least)} to ${plainName(most)}, the model knows ${plainName(lowest)} to `
    + `${plainName(highest)} (MIDI ${lowest}-${highest})`;
  const shifts = [];
  for (let shift = lowest - least; shift <= highest - most; shift++) shifts.push(shift);
  if (!shifts.length) throw new Refusal(`${found}: too wide to be moved into it; edit a narrower part of it`);
  if (!asked) throw new Refusal(`${found}. --transpose moves it into the range, edits it there, and moves it back`, ["transpose"]);
  return shifts.reduce((a, b) => {
    const rank = (shift) => [shift % 12 ? 1 : 0, Math.abs(shift)];
    const [x, y] = [rank(a), rank(b)];
    return y[0] < x[0] || (y[0] === x[0] && y[1] < x[1]) ? b : a;
  });
}
