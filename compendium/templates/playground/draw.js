"use strict";
// Melodies as pictures: a piano roll and a staff, both SVG text. A row shows `count` measures from measure `first`.

const svg = (width, height, label, inside) =>
  `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">${inside}</svg>`;
const fixed = (value) => Math.round(value * 100) / 100;

const ROLL = { unit: 4.2, tall: 6.5, left: 40 };

/** Piano roll: filled bars are `notes`, outlines are `original`; the chosen measures are lit. */
function rollRow(notes, original, first, count, chosen, range) {
  const { unit, tall, left } = ROLL;
  const [low, high] = range, wide = count * MEASURE * unit, height = (high - low + 1) * tall;
  const x = (at) => fixed(left + (at - first * MEASURE) * unit), y = (pitch) => fixed((high - pitch) * tall);
  let out = "";
  for (let m = first; m < first + count; m++) {
    const lit = chosen(m) ? " lit" : "";
    out += `<rect class="ground${lit}" data-measure="${m}" x="${x(m * MEASURE)}" y="0" width="${MEASURE * unit}" height="${height}"/>`;
  }
  for (let pitch = low; pitch <= high; pitch++) {
    if ([1, 3, 6, 8, 10].includes(pitch % 12)) {
      out += `<rect class="black" x="${left}" y="${y(pitch)}" width="${wide}" height="${tall}"/>`;
    }
    if (pitch % 12 === 0) out += `<text class="name" x="${left - 6}" y="${y(pitch) + tall}">C${pitch / 12 - 1}</text>`;
  }
  for (let beat = 0; beat <= count * BEATS; beat++) {
    const at = fixed(left + beat * 12 * unit);
    out += `<line class="${beat % BEATS ? "beat" : "bar"}" x1="${at}" x2="${at}" y1="0" y2="${height}"/>`;
  }
  const bar = (note, kind, inset) => {
    const start = Math.max(note.start, first * MEASURE), end = Math.min(note.start + note.length, (first + count) * MEASURE);
    if (end <= start) return "";
    const size = `x="${x(start) + 0.5}" y="${y(note.pitch) + inset}" width="${fixed((end - start) * unit - 1.5)}" height="${tall - 2 * inset}"`;
    return `<rect class="${kind}" rx="2" ${size}/>`;
  };
  out += original.map((note) => bar(note, "original", 0.75)).join("") + notes.map((note) => bar(note, "note", 0.75)).join("");
  out += `<line class="playhead" data-first="${first}" data-count="${count}" x1="-9" x2="-9" y1="0" y2="${height}"/>`;
  return svg(left + wide + 1, height, `Piano roll of measures ${first + 1} to ${first + count}`, out);
}

const GAP = 8, STAFF = { left: 40, measure: 262, top: 46, height: 126 };
// Note values by their length in twelfths of a beat: [hollow, stem, dots, flags]; plain ones, and those of a triplet.
const value = ([hollow, stem, dots, flags], triplet) => ({ hollow: !!hollow, stem: !!stem, dots, flags, triplet });
const table = (rows, triplet) => new Map(rows.map(([length, ...how]) => [length, value(how, triplet)]));
const plainValues = table([[48, 1, 0, 0, 0], [36, 1, 1, 1, 0], [24, 1, 1, 0, 0], [18, 0, 1, 1, 0], [12, 0, 1, 0, 0],
  [9, 0, 1, 1, 1], [6, 0, 1, 0, 1], [3, 0, 1, 0, 2]], false);
const tripletValues = table([[8, 0, 1, 0, 0], [6, 0, 1, 1, 1], [4, 0, 1, 0, 1], [3, 0, 1, 1, 2], [2, 0, 1, 0, 2], [1, 0, 1, 0, 3]], true);
// Where in a measure a plain value longer than a sixteenth may stand; elsewhere it would hide the beat. Rests have no dots, and
// stand at multiples of their length.
const places = new Map([[48, [0]], [36, [0, 12]], [24, [0, 12, 24]], [18, [0, 24, 6, 30]], [12, [0, 12, 24, 36, 6, 30]]]);
const mayStand = (start, length, rest) => plainValues.has(length) && (rest ? !plainValues.get(length).dots && start % length === 0
  : places.get(length)?.includes(start) ?? start % 12 + length <= 12);

/** Cut start .. end, within a measure, into values that can be written, tied: [{start, length, value}]. */
function cut(start, end, triplets, rest = false) {
  if (start >= end) return [];
  const beat = Math.floor(start / 12), inside = triplets.has(beat);
  let stop = inside ? Math.min(end, 12 * beat + 12) : end;
  for (let later = beat + 1; !inside && later * 12 < stop; later++) if (triplets.has(later)) stop = later * 12;
  const here = inside ? inTriplet(start, stop) : plain(start, stop, rest);
  return [...here, ...cut(stop, end, triplets, rest)];
}
function plain(start, end, rest) {
  if (mayStand(start, end - start, rest)) return [{ start, length: end - start, value: plainValues.get(end - start) }];
  const at = [24, 12, 6, 3].map((unit) => start - (start % unit) + unit).find((place) => start < place && place < end);
  return [...plain(start, at, rest), ...plain(at, end, rest)];
}
function inTriplet(start, end) {
  const fits = (length) => tripletValues.has(length);
  if (fits(end - start)) return [{ start, length: end - start, value: tripletValues.get(end - start) }];
  const third = [4, 8].map((part) => start - (start % 12) + part)
    .find((place) => fits(place - start) && fits(end - place)) ?? start - (start % 12) + 4;
  return third > start && third < end ? [...inTriplet(start, third), ...inTriplet(third, end)]
    : [{ start, length: end - start, value: plainValues.get(12) }]; // a whole beat
}

const SIGN_PLACES = { 1: [38, 35, 39, 36, 33, 37, 34], "-1": [34, 37, 33, 36, 32, 35, 31] }; // of a key signature

/** A staff in the treble clef with the key's signature; `chosen` measures are lit, and each can be clicked. */
function staffRow(notes, first, count, key, chosen, label) {
  const { measure, top, height } = STAFF, many = Math.abs(key.fifths), left = STAFF.left + 8 * many, wide = left + count * measure;
  const middle = top + 2 * GAP; // the line of B4
  let out = "";
  for (let m = first; m < first + count; m++) {
    const lit = chosen(m) ? " lit" : "";
    out += `<rect class="ground${lit}" data-measure="${m}" x="${left + (m - first) * measure}" y="14" width="${measure}" height="${height - 24}"/>`;
    out += `<text class="number" x="${left + (m - first) * measure + 3}" y="24">${m + 1}</text>`;
  }
  for (let line = 0; line < 5; line++) {
    out += `<line class="staff" x1="2" x2="${wide}" y1="${top + line * GAP}" y2="${top + line * GAP}"/>`;
  }
  out += `<path class="clef" transform="translate(7 ${top + 3 * GAP})" d="${CLEF}"/>`;
  const way = Math.sign(key.fifths);
  for (let i = 0; i < many; i++) {
    out += `<text class="sign" x="${38 + 8 * i}" y="${middle - ((SIGN_PLACES[way][i] - 34) * GAP) / 2 + 4}">${SIGNS[way]}</text>`;
  }
  for (let m = first; m < first + count; m++) {
    const pieces = piecesOf(notes, m, key), begin = left + (m - first) * measure;
    const x = (at) => fixed(begin + 16 + (at / MEASURE) * (measure - 22));
    out += measureOf(pieces, x, middle);
    out += `<line class="barline" x1="${begin + measure}" x2="${begin + measure}" y1="${top}" y2="${top + 4 * GAP}"/>`;
  }
  return svg(wide + 1, height, `${label}, measures ${first + 1} to ${first + count}`, out);
}

/** The notes and rests of measure m as single written values: {at, length, value, step, sign, tied}; rests have
 * step null. tied: to what follows. */
function piecesOf(notes, m, key) {
  const from = m * MEASURE, pieces = [], signs = {}, spans = [];
  let now = 0;
  for (const note of notes) {
    const start = Math.max(note.start - from, 0), end = Math.min(note.start + note.length - from, MEASURE);
    if (end <= start) continue;
    if (start > now) spans.push([now, start, null]);
    spans.push([start, end, note]);
    now = end;
  }
  if (now < MEASURE) spans.push([now, MEASURE, null]);
  const triplets = new Set(spans.flatMap(([start]) => (start % 12 === 4 || start % 12 === 8 ? [Math.floor(start / 12)] : [])));
  for (const [start, end, note] of spans) {
    const parts = cut(start, end, triplets, !note);
    parts.forEach(({ start: at, length, value }, index) => {
      const piece = { at, length, value, step: null, sign: "", tied: false };
      if (note) {
        const spelled = key.spell(note.pitch), before = index > 0 || note.start < from;
        piece.step = STEPS.indexOf(spelled.step) + 7 * spelled.octave;
        piece.tied = index < parts.length - 1 || note.start + note.length > from + end;
        if ((signs[piece.step] ?? key.alters[spelled.step]) !== spelled.alter && !before) piece.sign = SIGNS[spelled.alter] || "♮";
        if (!before) signs[piece.step] = spelled.alter;
      }
      pieces.push(piece);
    });
  }
  return pieces;
}

function measureOf(pieces, x, middle) {
  const y = (step) => middle - ((step - 34) * GAP) / 2; // 34: B4
  let out = "";
  for (const group of beamed(pieces)) {
    const steps = group.map((piece) => piece.step);
    const up = sum(steps) / group.length < 34, side = up ? 4.2 : -4.2, stem = up ? -27 : 27;
    // Stem ends lie on a line from the first to the last, long enough for every note in between.
    const ends = group.map((piece) => y(piece.step) + stem);
    const edge = up ? Math.min(...ends) : Math.max(...ends);
    group.forEach((piece, index) => {
      const px = x(piece.at), py = y(piece.step), { value } = piece;
      for (let line = 40; line <= piece.step; line += 2) out += ledger(px, y(line));
      for (let line = 28; line >= piece.step; line -= 2) out += ledger(px, y(line));
      if (piece.sign) out += `<text class="sign" x="${px - 5.5}" y="${py + 4}">${piece.sign}</text>`;
      out += `<ellipse class="${value.hollow ? "hollow" : "head"}" cx="${px}" cy="${py}" rx="4.6" ry="3.4" transform="rotate(-20 ${px} ${py})"/>`;
      if (value.dots) out += `<circle class="head" cx="${px + 8}" cy="${py - (piece.step % 2 ? 0 : 3)}" r="1.5"/>`;
      if (value.stem) out += `<line class="stem" x1="${px + side}" x2="${px + side}" y1="${py}" y2="${edge}"/>`;
      if (group.length === 1) {
        for (let flag = 0; flag < value.flags; flag++) {
          const fy = edge + flag * (up ? 6 : -6), turn = up ? 1 : -1;
          out += `<path class="flag" d="M${px + side} ${fy}q1 ${6 * turn} 7 ${12 * turn}q-1 ${-5 * turn} -7 ${-8 * turn}z"/>`;
        }
      } else if (index > 0) {
        const last = group[index - 1], both = Math.min(last.value.flags, value.flags);
        for (let beam = 0; beam < Math.max(last.value.flags, value.flags); beam++) {
          const by = edge + beam * (up ? 5 : -5), from = x(last.at) + side, to = px + side;
          // A second beam that only one of the two has is a stub on its side.
          const short = beam >= both, start = short && value.flags > both ? to - 8 : from;
          const end = short && last.value.flags > both ? from + 8 : to;
          out += `<line class="beam" x1="${start}" x2="${end}" y1="${by}" y2="${by}"/>`;
        }
      }
      if (piece.tied) {
        const next = piece.next === undefined ? x(MEASURE) + 4 : x(piece.next), bow = up ? 7 : -7, ty = py + bow;
        out += `<path class="tie" d="M${px + 3} ${ty}Q${(px + next) / 2} ${ty + bow} ${next - 3} ${ty}"/>`;
      }
    });
  }
  for (const piece of pieces) if (piece.step === null) out += rest(x(piece.at), middle, piece.value);
  // One "3" a triplet, over its middle and clear of everything in its beat.
  for (const beat of new Set(pieces.filter((piece) => piece.value.triplet).map((piece) => Math.floor(piece.at / 12)))) {
    const inside = pieces.filter((piece) => Math.floor(piece.at / 12) === beat && piece.step !== null);
    const top = Math.min(middle - 2 * GAP, ...inside.map((piece) => y(piece.step) - (piece.step < 38 ? 30 : 6)));
    out += `<text class="three" x="${x(12 * beat + 5)}" y="${top - 4}">3</text>`;
  }
  return out;
}

/** Notes in groups that share a beam: with flags, neighbours, in one beat. Every other note is a group of its own. */
function beamed(pieces) {
  const groups = [];
  pieces.forEach((piece, index) => {
    piece.next = pieces[index + 1]?.at;
    if (piece.step === null) return;
    const last = pieces[index - 1], group = groups[groups.length - 1];
    const joins = last && last.step !== null && last.value.flags > 0 && piece.value.flags > 0
      && Math.floor(last.at / 12) === Math.floor(piece.at / 12);
    if (joins) group.push(piece);
    else groups.push([piece]);
  });
  return groups;
}

const ledger = (x, y) => `<line class="staff" x1="${x - 8}" x2="${x + 8}" y1="${y}" y2="${y}"/>`;

function rest(x, middle, value) {
  const dot = value.dots ? `<circle class="head" cx="${x + 10}" cy="${middle - 4}" r="1.5"/>` : "";
  if (!value.stem) return `<rect class="head" x="${x + 70}" y="${middle - GAP}" width="10" height="4"/>`;
  if (value.hollow) return `<rect class="head" x="${x - 5}" y="${middle - 4}" width="10" height="4"/>${dot}`;
  if (!value.flags) {
    return `<path class="zigzag" d="M${x - 2} ${middle - 11}l5 6l-5 5l5 6q-8 -2 -3 6"/>${dot}`;
  }
  const hooks = Array.from({ length: value.flags }, (_, i) =>
    `<circle class="head" cx="${x - 2 - i}" cy="${middle - 4 + i * 6}" r="2"/>` +
    `<path class="zigzag thin" d="M${x - 2 - i} ${middle - 3 + i * 6}q4 2 ${6} -3"/>`).join("");
  return `${hooks}<path class="zigzag thin" d="M${x + 4} ${middle - 6}l-4 ${8 + 6 * value.flags}"/>${dot}`;
}

// A treble clef; the origin lies on the line of G4.
const CLEF = "M9 4.2C6.2 3.4 5.6-.6 8.4-2.6C12-5 17-2.2 17 2.4C17 7 13.4 10 9.2 10C3.8 10-.4 6 0 .4C.4-5 5-8.8 9-12.6"
  + "C13-16.6 14.6-20 14.4-25C14.2-29 13-31.6 11.4-31.6C8.6-31.6 6.6-26 7-20.6C7.2-17.6 11.4 12 11.6 16.4"
  + "C11.8 20.4 9.8 22.6 6.8 22.6C4.4 22.6 2.4 21 2.4 18.8";
