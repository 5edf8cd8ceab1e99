"use strict";
// Measures as the models write them: 24 symbols, six unevenly spaced ticks a beat. A symbol is a MIDI pitch where a note
// starts, or one of the four below. The same definitions as in arvae/music/coding.py.

const CONTINUE = -1, REST = -2, TICKS = 24, BEATS = 4;
const offsets = [0, 3, 4, 6, 8, 9]; // of the six ticks, in twelfths of a beat
const position = (tick) => Math.floor(tick / 6) * 12 + offsets[tick % 6]; // of a tick, in twelfths from the measure's start
const MEASURE = 48; // twelfths
const beatWeights = [0.2, 0.67, 0.25, 0.67];
const tickWeights = beatWeights.flatMap((beat) => [beat, 1, 2, 0.5, 2, 1]);
const sum = (values) => values.reduce((a, b) => a + b, 0);
const totalWeight = sum(tickWeights);

/** Tokens of the vocabulary -> symbols: pitches from `lowest`, then continue, rest, start, end. */
function toSymbols(tokens, { lowest, pitches }) {
  return tokens.map((token) => (token < pitches ? token + lowest : pitches - 1 - token));
}

const toTokens = (symbols, { lowest, pitches }) => symbols.map((symbol) => (symbol >= 0 ? symbol - lowest : pitches - 1 - symbol));

/** [rhythmic complexity, pitch range, note density, contour] of a measure (Pati & Lerch 2020, section 4.1.3). */
function musicAttributes(measure) {
  const onsets = measure.filter((symbol) => symbol >= 0);
  const weight = sum(measure.map((symbol, tick) => (symbol >= 0 ? tickWeights[tick] : 0)));
  const several = onsets.length >= 2;
  return [
    weight / totalWeight,
    several ? (Math.max(...onsets) - Math.min(...onsets)) / 26 : 0,
    onsets.length / TICKS,
    several ? (onsets[onsets.length - 1] - onsets[0]) / 26 : 0,
  ];
}

/** Measures -> notes {pitch, start, length, measure} in twelfths of a beat; a held note goes on over the bar line. */
function toNotes(measures) {
  const notes = [];
  let sounding = null;
  measures.forEach((measure, number) => {
    measure.forEach((symbol, tick) => {
      if (symbol === CONTINUE) return;
      const now = number * MEASURE + position(tick);
      if (sounding) sounding.length = now - sounding.start;
      sounding = symbol >= 0 ? { pitch: symbol, start: now, length: 0, measure: number } : null;
      if (sounding) notes.push(sounding);
    });
  });
  if (sounding) sounding.length = measures.length * MEASURE - sounding.start;
  return notes;
}

/** A melody in words, for those who do not see it. */
const inWords = (notes, key) => notes.map(({ pitch }) => noteName(key, pitch)).join(" ");
function noteName(key, pitch) {
  const { step, alter, octave } = key.spell(pitch);
  return `${step}${SIGNS[alter]}${octave}`;
}

/** Measures as they are to be written: of those that were not edited, one into which a note is held that no longer sounds
 * before it starts with that note; all moved back by `shift` semitones. */
function asWritten(measures, original, shift) {
  const last = (rows) => rows.flat().filter((symbol) => symbol !== CONTINUE).pop() ?? REST;
  const kept = measures.map((measure) => [...measure]);
  for (let m = 1; m < kept.length; m++) {
    if (kept[m][0] !== CONTINUE || kept[m].join() !== original[m].join()) continue;
    const held = last(original.slice(0, m));
    if (held !== last(kept.slice(0, m))) kept[m][0] = held;
  }
  return kept.map((measure) => measure.map((symbol) => (symbol >= 0 ? symbol - shift : symbol)));
}
