"use strict";
// A score as its notes and bars, and the one way from there to measures: what arvae/music/grid.py does, step by step, with
// the same refusals in the same words (tests compare both on the same files). Times are exact fractions of a quarter note.

class Fraction {
  constructor(over, under = 1) {
    let [a, b] = [Math.abs(over), Math.abs(under)];
    while (b) [a, b] = [b, a % b];
    const common = (a || 1) * (under < 0 ? -1 : 1);
    this.over = over / common;
    this.under = under / common;
  }
  static of(value) { return value instanceof Fraction ? value : new Fraction(value); }
  plus(other) { const o = Fraction.of(other); return new Fraction(this.over * o.under + o.over * this.under, this.under * o.under); }
  minus(other) { const o = Fraction.of(other); return new Fraction(this.over * o.under - o.over * this.under, this.under * o.under); }
  times(other) { const o = Fraction.of(other); return new Fraction(this.over * o.over, this.under * o.under); }
  by(other) { const o = Fraction.of(other); return new Fraction(this.over * o.under, this.under * o.over); }
  /** What is left of it by whole numbers of `other`, never negative. */
  modulo(other) { return this.minus(Fraction.of(other).times(Math.floor(this.by(other).valueOf()))); }
  valueOf() { return this.over / this.under; } // so that < and > compare; equal fractions have equal values
  toString() { return this.under === 1 ? `${this.over}` : `${this.over}/${this.under}`; }
}
const fraction = (over, under = 1) => new Fraction(over, under);
const later = (a, b) => (a > b ? a : b);
const same = (a, b) => +a === +b;

const { OTHER_METRE, CHORDS, OFF_GRID, IRREGULAR, SILENT, BROKEN, PARTS, TUNES } = data.grammar.reasons;
const { longest: LONGEST, marks: MARKS } = data.grammar, JUMP = new RegExp(data.grammar.jump, "i"), START = -3, END = -4;
const SLACK = 0.25, EXACT = 0.06, BREATH = 1.5, DETACHED = 1 / 8; // twelfths of a quarter note; see grid.py

class TuneError extends Error {
  constructor(reason, detail) {
    super(`${reason}: ${detail}`);
    Object.assign(this, { reason, detail });
  }
}
const thousands = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

/**
 * One part in 4/4 (or 2/4) -> its measures, as written. A part: {name, notes, bars, percussion, marks, transpose}; notes and
 * marks: {start, duration, pitch}; bars: {number, start, length, nominal, metre, section}.
 */
function measuresOf(part, monophonic = false, quantize = false) {
  const bars = fullBars(part.bars), line = lineOf(part, bars, monophonic, quantize);
  if (!line.length) throw new TuneError(SILENT, `no note in ${part.bars.length} bars: choose a part that has notes`);
  const count = Math.max(bars.count, Math.floor(line[line.length - 1][0] / TICKS) + 1);
  const symbols = Array.from({ length: count * TICKS }, (_, tick) => (tick % TICKS ? CONTINUE : REST));
  for (const [first, last, pitch] of line) {
    symbols.fill(CONTINUE, first, last);
    symbols[first] = pitch;
    if (last < symbols.length) symbols[last] = REST;
  }
  for (const mark of part.marks ?? []) {
    const [first, last] = [mark.start, mark.start.plus(mark.duration)].map((at) => nearest(bars.time(at)));
    if (mark.pitch === START || mark.pitch === END) symbols.fill(mark.pitch, first, last);
    else if (first < symbols.length) symbols[first] = mark.pitch;
  }
  return Array.from({ length: count }, (_, m) => symbols.slice(m * TICKS, (m + 1) * TICKS));
}

/** What stands beside the notes of a part; times in quarter notes, places of bars (see Signs in score.py). */
const noSigns = () => ({ chords: [], lyrics: [], keys: [], opens: [], closes: [], endings: {}, stops: [], jumps: false, marks: false });

/** Where bars start and end once they are completed to measures, in twelfths. */
function edgesOf({ bars, starts, moved }) {
  const from = bars.map((_, i) => Math.round(starts[i] + moved[i]));
  return [from, bars.map((bar, i) => from[i] + Math.round(12 * bar.length))];
}

/** The measures, from 0, of `count` that the bars of a part do not fill as they are written. */
function filledOf(part, count) {
  const [starts, ends] = edgesOf(fullBars(part.bars)), filled = new Set();
  [...starts, count * MEASURE].forEach((end, i) => {
    const start = i ? ends[i - 1] : 0;
    for (let m = Math.floor(start / MEASURE); start < end && m < Math.ceil(end / MEASURE); m++) filled.add(m);
  });
  return [...filled].sort((a, b) => a - b);
}

/** The same by measures, from 0, with times in twelfths from the measure's start, as `beside_of` in beside.py has it. */
function besideOf(part) {
  const { signs = noSigns() } = part, laid = fullBars(part.bars), { bars } = laid, found = {};
  const of = (m) => (found[m] ??= { chords: [], lyrics: [], keys: [], opens: false, closes: false, ending: "", stops: false });
  const [starts, ends] = edgesOf(laid);
  bars.forEach((bar, i) => {
    const index = part.bars.indexOf(bar), first = Math.floor(starts[i] / MEASURE), last = Math.floor((ends[i] - 1) / MEASURE);
    if (i === 0 || ends[i - 1] <= first * MEASURE) {
      of(first).opens ||= signs.opens.includes(index);
      of(first).ending = signs.endings[index] ?? "";
    }
    if (i === bars.length - 1 || starts[i + 1] >= (last + 1) * MEASURE) of(last).closes ||= signs.closes.includes(index);
    of(last).stops ||= signs.stops.includes(index);
    for (const kind of ["chords", "lyrics", "keys"]) {
      for (const [time, ...what] of signs[kind]) {
        if (time < bar.start || time >= bar.start.plus(bar.length)) continue;
        const at = starts[i] + Math.trunc(12 * time.minus(bar.start));
        of(Math.floor(at / MEASURE))[kind].push([at % MEASURE, ...what]);
      }
    }
  });
  for (const { lyrics } of Object.values(found)) lyrics.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return Object.fromEntries(Object.entries(found).filter(([, own]) => Object.values(own).some((what) => String(what || ""))));
}

/** Bars completed to measures of four quarter notes: where each lies, in twelfths. */
class LaidBars {
  constructor(bars) {
    Object.assign(this, { bars, starts: bars.map((bar) => 12 * bar.start), moved: [], held: bars.map(() => 0), count: 0 });
  }
  index(time) {
    let place = this.starts.findIndex((start) => start > time + 1e-6);
    if (place < 0) place = this.starts.length;
    return Math.max(place - 1, 0);
  }
  time(at) { return 12 * at + this.moved[this.index(12 * at)]; }
  end(at) {
    const time = 12 * at, index = this.index(time - 1e-5), barEnd = this.starts[index] + 12 * this.bars[index].length;
    return time + this.moved[index] + (time > barEnd - SLACK ? this.held[index] : 0);
  }
  place(at) {
    const bar = this.bars[this.index(12 * at)];
    return `bar ${bar.number}, ${at.minus(bar.start)} quarter notes in`;
  }
}

function fullBars(all) {
  const bars = all.filter((bar) => bar.length > 0);
  bars.forEach(checkBar);
  const laid = new LaidBars(bars), lacking = (bar) => later(bar.nominal.minus(bar.length), fraction(0));
  let now = fraction(0), group = 0;
  bars.forEach((bar, index) => {
    let within = now.modulo(BEATS);
    if (+within === 0) {
      group = index;
      if (isPickUp(bars, index)) {
        within = fraction(BEATS).minus(bar.length);
        now = now.plus(within);
      }
    } else if (within.plus(bar.length) > BEATS && !(bar.nominal < BEATS && same(bar.length, BEATS))) {
      let cut = index;
      while (cut > group && !bars[cut].section) cut -= 1;
      if (cut === group) {
        const short = bars.slice(group, index).find((b) => b.length < b.nominal) ?? bars[group];
        const needed = short.length < short.nominal ? short.nominal : BEATS;
        throw new TuneError(IRREGULAR, `bar ${short.number} lasts ${short.length} quarter notes, needed are ${needed}: fill it up with rests`);
      }
      const after = bars.slice(cut, index).reduce((total, b) => total.plus(b.length), fraction(0));
      const pad = fraction(BEATS).minus(within.minus(after)), room = lacking(bars[cut - 1]);
      laid.held[cut - 1] = 12 * (pad < room ? pad : room);
      const move = pad.plus(+after ? fraction(BEATS).minus(after) : 0);
      for (let i = cut; i < index; i++) laid.moved[i] += 12 * move;
      now = now.plus(move);
      group = !+after || +now.modulo(BEATS) === 0 ? index : cut;
      if (!+after && isPickUp(bars, index)) now = now.plus(fraction(BEATS).minus(bar.length));
    }
    laid.moved.push(12 * now.minus(bar.start));
    now = now.plus(bar.length);
  });
  const missing = fraction(0).minus(now).modulo(BEATS);
  if (bars.length && +missing) laid.held[bars.length - 1] = 12 * Math.min(missing, lacking(bars[bars.length - 1]));
  laid.count = Math.ceil(now / BEATS);
  return laid;
}

function checkBar(bar) {
  if (+bar.nominal !== BEATS && +bar.nominal !== BEATS / 2) {
    throw new TuneError(OTHER_METRE, `bar ${bar.number} has metre ${bar.metre || "none"}, needed is 4/4, C, C| or 2/4`);
  }
  if (bar.start.plus(bar.length) > LONGEST * BEATS) {
    throw new TuneError(BROKEN, `bar ${bar.number} ends after more than ${thousands(LONGEST)} measures: correct its length, or cut it`);
  }
  if (bar.length > bar.nominal && +bar.length.modulo(bar.nominal)) {
    throw new TuneError(IRREGULAR,
      `bar ${bar.number} lasts ${bar.length} quarter notes, needed are ${bar.nominal}: put a bar line in, or correct its notes`);
  }
}

function isPickUp(bars, index) {
  const bar = bars[index], [next, second] = bars.slice(index + 1, index + 3);
  if (bar.length >= bar.nominal || !(bar.section || index === 0)) return false;
  if (!next) return index === 0;
  if (next.section && index) return false;
  const completes = same(bar.length.plus(next.length), bar.nominal);
  return !(completes && second && !second.section);
}

/** The notes as [first tick, last tick + 1, pitch], one after the other. */
function lineOf(part, bars, monophonic, quantize) {
  let played = part.notes.map((note) => {
    const start = bars.time(note.start);
    return { on: nearest(start), end: bars.end(note.start.plus(note.duration)), pitch: note.pitch, start, at: note.start };
  });
  played = monophonic ? highest(played) : played.sort((a, b) => a.start - b.start);
  const kept = [];
  for (const note of played) {
    const last = kept[kept.length - 1];
    if (!quantize && Math.abs(timeOf(note.on) - note.start) > SLACK) {
      throw new TuneError(OFF_GRID, `${bars.place(note.at)}: onsets must fall on sixteenths or triplets of a quarter note (quantize the tune)`);
    }
    if (last && !monophonic && last.end > note.start + BREATH) {
      throw new TuneError(CHORDS, `${bars.place(note.at)}: a note starts before the last one ends (keep one voice)`);
    }
    if (last?.on !== note.on) kept.push(note);
    else if (note.end - note.start > last.end - last.start) kept[kept.length - 1] = note;
  }
  return kept.map((note, i) => [note.on, lastTick(note.on, note.end, timeOf(kept[i + 1]?.on ?? bars.count * TICKS)), note.pitch]);
}

function highest(notes) {
  const line = [];
  let sounding = [];
  for (const note of [...notes].sort((a, b) => a.on - b.on || b.pitch - a.pitch)) {
    sounding = sounding.filter((other) => other.end > timeOf(note.on) + BREATH);
    if (sounding.every((other) => other.pitch < note.pitch) && line[line.length - 1]?.on !== note.on) line.push(note);
    sounding.push(note);
  }
  return line;
}

function lastTick(on, end, following) {
  let tick = nearest(end);
  const offGrid = Math.abs(timeOf(tick) - end) > EXACT;
  if (end > following || (offGrid && following - end <= Math.max(BREATH, DETACHED * (following - timeOf(on))))) tick = nearest(following);
  return Math.max(tick, on + 1);
}

const EDGES = [...offsets, 12];
function nearest(time) {
  const beat = Math.floor(time / 12), within = time - 12 * beat;
  let place = 0;
  for (let i = 1; i < EDGES.length; i++) if (Math.abs(EDGES[i] - within) < Math.abs(EDGES[place] - within)) place = i;
  return beat * 6 + place;
}
const timeOf = (tick) => Math.floor(tick / 6) * 12 + offsets[tick % 6];
