"use strict";
// MIDI files to scores, as arvae/music/midi.py reads them: a part for each channel of each track that has notes.

const MIDI_LARGEST = 1 << 19, DRUMS = 9, VELOCITY = 80, EARLY = fraction(1, 48), LATE = fraction(1, 8);
const MIDI_LENGTHS = [1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 3 / 2, 2, 3, 4];
const SHARE = 0.12, MOST = 0.9, ROUNDED = 0.08;
const BREAKS = " \t\r\n\v\0/\\", MIDI_CHORD = new RegExp(`^(?:${data.grammar.midiChord})$`), TEXTS = { 1: "text", 3: "track", 4: "instrument", 5: "lyrics", 6: "marker" };
const latin = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
const bigEndian = (bytes) => bytes.reduce((number, byte) => number * 256 + byte, 0);

/** A file's {type, division, tracks: the events of each}, with the lengths that its tracks really have. */
function midiTracks(bytes) {
  const text = latin(bytes), start = text.indexOf("MThd");
  if (!(start >= 0 && start <= 128) || bytes.length > MIDI_LARGEST) {
    const found = start >= 0 ? `${thousands(bytes.length)} bytes, it may have ${thousands(MIDI_LARGEST)}` : "it has no MIDI header";
    throw new TuneError(BROKEN, `this is no MIDI file of a melody (${found}): export it again`);
  }
  const [header, ...chunks] = text.slice(start).split("MTrk");
  const type = bigEndian([...header.slice(8, 10)].map((c) => c.charCodeAt(0)));
  const division = bigEndian([...header.slice(12, 14)].map((c) => c.charCodeAt(0)));
  if (header.length < 14) throw new TuneError(BROKEN, "this is no MIDI file (it is cut short): export it again");
  const tracks = chunks.map((chunk) => {
    const raw = Uint8Array.from(chunk, (c) => c.charCodeAt(0)), body = raw.subarray(4), end = chunk.indexOf("\xff\x2f\x00", 4) - 4;
    let length = bigEndian(raw.subarray(0, 4));
    if ((length > body.length || chunk.slice(4 + length - 3, 4 + length) !== "\xff\x2f\x00") && end >= 0) length = end + 3;
    if (length > body.length) throw new TuneError(BROKEN, "this is no whole MIDI file (it is cut short): export it again");
    return midiEvents(body.subarray(0, length));
  });
  if (!division) throw new TuneError(BROKEN, "this is no MIDI file (a quarter note has 0 ticks): export it again");
  return { type, division, tracks };
}

function readMidi(bytes) {
  const { type, division: given, tracks } = midiTracks(bytes);
  const tempo = tracks.flat().find((event) => event.kind === "tempo")?.tempo ?? 500000;
  const everything = tracks.flat(), texts = tracks.filter((track) => !track.some((event) => event.kind === "note")).map(syllablesOf);
  let division = fraction(given);
  if (division >= 0x8000) { // frames a second and ticks a frame
    const frames = 256 - (Number(division) >> 8), rate = frames === 29 ? fraction(30000, 1001) : fraction(frames);
    division = rate.times(Number(division) & 255).times(fraction(tempo, 1000000));
  }
  const written = everything.filter((event) => event.kind === "key"), key = written[0]?.key ?? null;
  const changes = written.filter((event) => event.time > 0 && event.key.fifths !== key.fifths).sort((a, b) => a.time - b.time);
  const keys = changes.slice(0, 1).map((event) => [fraction(event.time).by(division), String(event.key)]);
  const parts = [];
  for (const track of tracks) {
    const shared = type === 2 ? track : everything, own = shared.filter((event) => event.kind === "metre"), last = track[track.length - 1]?.time ?? 0;
    const verses = [syllablesOf(track), ...texts].map((verse) => verse.map(([time, text]) => [fraction(time).by(division), text]));
    const named = (kind) => stripped(track.find((event) => event.kind === kind)?.text ?? "", "\0 ");
    const name = named("track") || named("instrument") || `part ${parts.length + 1}`;
    const channels = [...new Set(track.filter((event) => event.kind === "note").map((event) => event.channel))].sort((a, b) => a - b);
    for (const channel of channels) {
      const ticks = midiNotes(track.filter((event) => event.kind === "note" && event.channel === channel), last);
      const quarters = (tick) => fraction(tick).by(division);
      const notes = released(ticks.map(([from, to, pitch]) => ({ start: quarters(from), duration: quarters(to - from), pitch })));
      if (!notes.length) continue;
      const final = notes.map((n) => later(n.start.plus(EARLY), n.start.plus(n.duration).minus(LATE))).reduce(later);
      const bars = midiBars(own, division, final), first = bars[0], end = bars[bars.length - 1];
      const taken = notes.map((n) => n.start.plus(n.duration)).reduce(later).minus(end.start);
      if (first.length < first.nominal && Math.abs(first.length.plus(taken).minus(end.nominal)) < EARLY) {
        bars[bars.length - 1] = { ...end, length: taken };
      }
      const drums = channel === DRUMS, inside = type === 0 ? `channel ${channel + 1}` : `${name}, channel ${channel + 1}`;
      const full = (channels.length > 1 ? inside : name) + (drums ? " (drums)" : "");
      const signs = { ...noSigns(), chords: midiChords(shared, division), lyrics: midiLyrics(verses, notes), keys,
        marks: shared.some((event) => event.channel === channel && event.marks) && "midi" };
      parts.push({ name: full, notes, bars, percussion: drums, transpose: 0, key, signs });
    }
  }
  const title = stripped(tracks[0]?.find((event) => event.kind === "track")?.text ?? "", "\0 ");
  return { title, parts, tempo: 60e6 / tempo };
}

/** The events of a track, with their time in ticks; raw: their bytes, running status written out. */
function midiEvents(bytes) {
  const events = [];
  let at = 0, time = 0, running = 0;
  const cut = () => new TuneError(BROKEN, "this is no MIDI file (it is cut short): export it again");
  const byte = () => {
    if (at >= bytes.length) throw cut();
    return bytes[at++];
  };
  const variable = () => {
    for (let value = 0; ;) {
      const next = byte();
      value = value * 128 + (next & 127);
      if (next < 128) return value;
    }
  };
  const block = () => {
    const length = variable();
    if (at + length > bytes.length) throw cut();
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    time += variable();
    const from = at;
    let status = byte(), event = { kind: "other" };
    if (status < 0x80) {
      if (!running) throw new TuneError(BROKEN, "this is no MIDI file (running status without last_status): export it again");
      at -= 1;
      status = running;
    }
    if (status === 0xff) {
      const kind = byte(), data = block();
      if (kind in TEXTS) event = { kind: TEXTS[kind], text: midiText(data) };
      else if (kind === 0x51 && data.length >= 3) event = { kind: "tempo", tempo: bigEndian(data.subarray(0, 3)) };
      else if (kind === 0x58 && data.length >= 2) event = { kind: "metre", top: data[0], bottom: 2 ** data[1] };
      else if (kind === 0x2f) event = { kind: "end" };
      else if (kind === 0x59 && data.length === 2 && Math.abs((data[0] << 24) >> 24) <= 7 && data[1] < 2) { // sharps, minor
        event = { kind: "key", key: Key.of((data[0] << 24) >> 24, data[1] ? "minor" : "major") };
      }
    } else if (status >= 0xf0) {
      if (status === 0xf0 || status === 0xf7) block();
      else at += { 0xf1: 1, 0xf2: 2, 0xf3: 1 }[status] ?? 0;
    } else {
      running = status;
      const high = status >> 4, channel = status & 15, short = high === 0xc || high === 0xd, first = Math.min(byte(), 127);
      const second = short ? 0 : Math.min(byte(), 127), on = high === 9 && second > 0;
      if (high === 8 || high === 9) event = { kind: "note", channel, pitch: first, on, velocity: second, marks: on && second !== VELOCITY };
      else event = { kind: "other", channel, marks: high !== 12 || first > 0 }; // all but the piano
      event.raw = short ? [status, first] : [status, first, second];
    }
    events.push({ time, raw: bytes.subarray(from, at), ...event });
  }
  return events;
}

function midiText(data) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return latin(data);
  }
}

function stripped(text, signs) {
  let [from, to] = [0, text.length];
  while (from < to && signs.includes(text[from])) from += 1;
  while (to > from && signs.includes(text[to - 1])) to -= 1;
  return text.slice(from, to);
}

const twelfth = (time) => fraction(Math.floor(time.times(12) + 0.5), 12);

/** Chord symbols as [quarter notes, name]. Markers A, B, C .. in this order are rehearsal letters. */
function midiChords(events, division) {
  const signs = { marker: "%", text: "" }, found = events.flatMap(({ time, kind, text }) => {
    const match = kind in signs && MIDI_CHORD.exec(signs[kind] + stripped(text, BREAKS));
    return match ? [[twelfth(fraction(time).by(division)), match[1]]] : [];
  });
  if ("ABCDEFG".startsWith([...new Set(found.map(([, name]) => name))].join(""))) return [];
  return found.sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1));
}

/** What a track's lyric events have: [ticks, syllable]. Where no space ends any word, all are words that end in no hyphen. */
function syllablesOf(track) {
  const sung = track.filter(({ kind, text }) => kind === "lyrics" && text[0] !== "{"), spaced = sung.some(({ text }) => /\s$/.test(text));
  return sung.flatMap(({ time, text }, i) => {
    const word = stripped(text, BREAKS).replace(/[\0-\x1f]+/g, " ").trim(), next = sung[i + 1]?.text ?? " ", stem = word.replace(/[-_]+$/, "");
    const goesOn = spaced && !BREAKS.includes(text.slice(-1)) && !BREAKS.includes(next.slice(0, 1));
    return stem ? [[time, stem + (goesOn || word.endsWith("-") ? "-" : "")]] : [];
  });
}

/** The verses, of [quarter notes, syllable], that are sung to these notes, as `_lyrics` in midi.py has them. */
function midiLyrics(verses, notes) {
  const ends = new Map(), found = [];
  for (const note of notes) {
    const at = +twelfth(note.start), end = +note.start.plus(note.duration);
    ends.set(at, Math.max(end, ends.get(at) ?? end));
  }
  const starts = [...ends.keys()].sort((a, b) => a - b);
  let number = 0;
  for (const verse of verses) {
    const own = verse.map(([time, text]) => [twelfth(time), text]);
    if (!own.length || 2 * own.filter(([time]) => ends.has(+time)).length < own.length) continue;
    number += 1;
    own.forEach(([time, text], i) => {
      const following = +(own[i + 1]?.[0] ?? 0), again = starts.find((start) => start > time) ?? following;
      const held = ends.has(+time) && again < following && ends.get(+time) > again - LATE && !text.endsWith("-");
      found.push([time, number, held ? `${text}_` : text]);
    });
  }
  return found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

/** The notes of one channel as [start, end, pitch] in ticks, in order. */
function midiNotes(events, last) {
  const found = [];
  for (const pitch of new Set(events.map((event) => event.pitch))) {
    const struck = []; // [when, the note-offs before it is struck again]
    for (const event of events.filter((one) => one.pitch === pitch)) {
      if (event.on) struck.push([event.time, []]);
      else if (struck.length) struck[struck.length - 1][1].push(event.time);
    }
    const lost = sum(struck.map(([, ends]) => ends.length)) !== struck.length;
    let earlier = 0; // notes struck again before their note-off, which is still to come
    struck.forEach(([start, ends], i) => {
      const again = struck[i + 1]?.[0] ?? last, letGo = ends[earlier] ?? (lost ? ends[ends.length - 1] : undefined);
      earlier = Math.max(earlier + 1 - ends.length, 0);
      if ((letGo ?? again) > start) found.push([start, letGo ?? again, pitch]);
    });
  }
  return found.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
}

/** Notes that are all held for one share of their written length, with the written length. */
function released(notes) {
  const fourth = (value) => Math.round(value * 1e4) / 1e4;
  const starts = notes.map((note) => +note.start), played = notes.map((note) => +note.duration);
  const begin = new Set(starts.map(fourth)), joined = notes.map((_, i) => begin.has(fourth(starts[i] + played[i])));
  const all = [...new Set(played.flatMap((length) => MIDI_LENGTHS.map((other) => fourth(length / other))))].sort((a, b) => a - b);
  const near = all.filter((share) => Math.abs(share - 1) <= SHARE).sort((a, b) => Math.abs(a - 1) - Math.abs(b - 1));
  const shares = [1, ...near.slice(0, 200)];
  const onGrid = (share) => starts.map((start, i) => {
    const end = 12 * (start + (joined[i] ? played[i] : played[i] / share)), beat = 12 * Math.floor(end / 12);
    const closest = EDGES.reduce((a, b) => (Math.abs(end - beat - b) < Math.abs(end - beat - a) ? b : a));
    return [beat + closest, Math.abs(beat + closest - end) < ROUNDED];
  });
  const counts = shares.map((share) => (notes.length ? onGrid(share).filter(([, on]) => on).length / notes.length : 1));
  const best = counts.indexOf(Math.max(...counts));
  if (counts[0] >= MOST || counts[best] < MOST) return notes;
  return onGrid(shares[best]).map(([end, on], i) => (on && end > 12 * starts[i]
    ? { ...notes[i], duration: fraction(end, 12).minus(notes[i].start) } : notes[i]));
}

/** Bars up to `end`. One that another metre cuts short is short, and so is a first one: a pick-up. */
function midiBars(metres, division, end) {
  if (end > LONGEST * BEATS) {
    throw new TuneError(BROKEN, `it lasts ${thousands(Math.ceil(end / BEATS))} measures, a melody has at most ${thousands(LONGEST)}: cut it`);
  }
  const signs = new Map([[0, [fraction(0), [4, 4]]]]);
  for (const { time, top, bottom } of [...metres].sort((a, b) => a.time - b.time)) {
    const at = fraction(time).by(division);
    signs.set(+at, [at, [top, bottom]]);
  }
  const sorted = [...signs.values()].sort((a, b) => a[0] - b[0]), bars = [];
  sorted.forEach(([from, sign], i) => {
    const [until, following] = sorted[i + 1] ?? [end, [0, 1]];
    const length = fraction(4 * sign[0], sign[1]), after = fraction(4 * following[0], following[1]);
    const [top, bottom] = +from === 0 && until <= length && length < after ? following : sign;
    for (let start = from; start < Math.min(until, end);) {
      if (bars.length + 1 > 2 * LONGEST || !+length) {
        throw new TuneError(BROKEN, `its metre ${top}/${bottom} makes too many bars: export it again`);
      }
      const left = until.minus(start), room = until >= end || length < left ? length : left;
      bars.push({ number: String(bars.length + 1), start, length: room, nominal: fraction(4 * top, bottom), metre: `${top}/${bottom}`, section: false });
      start = start.plus(length);
    }
  });
  return bars;
}
