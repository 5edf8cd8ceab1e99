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

const sharps = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const flats = ["C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B"];
const majorScale = [0, 2, 4, 5, 7, 9, 11];
const flatKeys = [5, 10, 3, 8, 1]; // F, B flat, E flat, A flat, D flat

/** Names of the twelve pitch classes, with flats where the notes fit a flat key best. */
function spelling(notes) {
  const fit = Array.from({ length: 12 }, (_, key) =>
    sum(notes.map(({ pitch, length }) => (majorScale.includes((pitch - key + 120) % 12) ? length : 0))));
  return flatKeys.includes(fit.indexOf(Math.max(...fit))) ? flats : sharps;
}

/** A melody in words, for those who do not see it. */
function inWords(notes) {
  const names = spelling(notes);
  return notes.map(({ pitch }) => names[pitch % 12] + (Math.floor(pitch / 12) - 1)).join(" ");
}

/** Notes -> a standard MIDI file (format 0), 480 ticks a quarter note, as Uint8Array. */
function midiFile(notes, beatsPerMinute) {
  const events = notes.flatMap(({ pitch, start, length }) => [
    { at: start * 40, bytes: [0x90, pitch, 80] },
    { at: (start + length) * 40, bytes: [0x80, pitch, 0] },
  ]).sort((a, b) => a.at - b.at || a.bytes[0] - b.bytes[0]);
  const tempo = Math.round(60e6 / beatsPerMinute);
  const track = [0, 0xff, 0x51, 3, tempo >> 16, (tempo >> 8) & 255, tempo & 255, 0, 0xff, 0x58, 4, 4, 2, 24, 8];
  let now = 0;
  for (const { at, bytes } of events) {
    let wait = at - now;
    const digits = [wait & 127];
    while ((wait >>= 7) > 0) digits.unshift((wait & 127) | 128);
    track.push(...digits, ...bytes);
    now = at;
  }
  track.push(0, 0xff, 0x2f, 0);
  const size = [24, 16, 8, 0].map((shift) => (track.length >> shift) & 255);
  const text = (word) => [...word].map((letter) => letter.charCodeAt(0));
  return Uint8Array.from([...text("MThd"), 0, 0, 0, 6, 0, 0, 0, 1, 480 >> 8, 480 & 255, ...text("MTrk"), ...size, ...track]);
}
