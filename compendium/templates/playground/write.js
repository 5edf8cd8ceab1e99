"use strict";
// Melodies as files: MIDI, MusicXML and ABC, with title, key and tempo.

/** A tempo as scores write it: at most to a hundredth. */
const rounded = (tempo) => Math.round(100 * tempo) / 100;

/** Measures -> the glyphs of each, which fill it, as `notate` in notation.py has them: {symbol, at, length, value, tiedBefore, tied,
 * anew}; value: see cut in draw.js; anew: a rest of its own though it follows one. cuts: for some measures, where a glyph must end. */
function notate(measures, cuts = {}) {
  let before = null; // the pitch that sounds before a measure
  const rows = measures.map((measure) => {
    const row = spansOf(measure, before), { symbol } = row[row.length - 1];
    before = symbol >= 0 ? symbol : null;
    return row;
  });
  return rows.map((row, m) => glyphsOf(row, Boolean(rows[m + 1]?.[0].joined), cuts[m] ?? []));
}
/** The symbols of a measure with where they start and end; joined: to the note before. What goes on without being a note is CONTINUE. */
function spansOf(measure, before) {
  const found = [], padding = [START, END];
  measure.forEach((symbol, tick) => {
    const last = found[found.length - 1], end = position(tick + 1);
    const goesOn = last && (symbol === CONTINUE ? !padding.includes(last.symbol) : padding.includes(symbol) && last.symbol === symbol);
    if (goesOn) last.end = end;
    else if (symbol === CONTINUE && !last && before !== null) found.push({ symbol: before, start: 0, end, joined: true });
    else found.push({ symbol, start: position(tick), end, joined: false });
  });
  return found;
}
function glyphsOf(row, following, cuts) {
  const triplets = new Set(row.flatMap(({ start }) => (start % 12 === 4 || start % 12 === 8 ? [Math.floor(start / 12)] : [])));
  return row.flatMap(({ symbol, start, end, joined }, i) => {
    const edges = [start, ...cuts.filter((at) => start < at && at < end), end], note = symbol >= 0;
    const parts = edges.slice(1).flatMap((to, k) => cut(edges[k], to, triplets, !note));
    return parts.map(({ start: at, length, value }, part) => ({ symbol, at, length, value, tiedBefore: note && (part > 0 || joined),
      tied: note && (part < parts.length - 1 || (following && i === row.length - 1)),
      anew: symbol === REST && part === 0 && row[i - 1]?.symbol < 0 }));
  });
}

const midiBig = (number, size) => Array.from({ length: size }, (_, i) => (number >> (8 * (size - 1 - i))) & 255);
function midiDigits(value) {
  const digits = [value & 127];
  for (let rest = value >> 7; rest > 0; rest >>= 7) digits.unshift((rest & 127) | 128);
  return digits;
}
const midiMeta = (at, kind, bytes) => ({ at, bytes: [0xff, kind, ...midiDigits(bytes.length), ...bytes] });
/** Tracks of {at: ticks, bytes}, in order -> a MIDI file, as Uint8Array. */
function packMidi(type, division, tracks) {
  const ascii = (word) => [...word].map((letter) => letter.charCodeAt(0));
  const chunks = tracks.map((events) => {
    let now = 0;
    const bytes = events.flatMap(({ at, bytes: own }) => {
      const step = midiDigits(at - now);
      now = at;
      return [...step, ...own];
    });
    return [...ascii("MTrk"), ...midiBig(bytes.length, 4), ...bytes];
  });
  return Uint8Array.from([ascii("MThd"), midiBig(6, 4), ...[type, tracks.length, division].map((number) => midiBig(number, 2)), ...chunks].flat());
}

/** Notes -> a standard MIDI file, 480 ticks a quarter note, as Uint8Array; signs: see besideOf. As `encode` in write_midi.py has it,
 * chord symbols are markers, syllables lyric events in which a space ends a word, and each further verse has its own track. */
function midiFile(notes, beatsPerMinute, { title = "", key = null, length = 0, signs = {} } = {}) {
  const tempo = Math.round(60e6 / beatsPerMinute), text = (at, kind, words) => midiMeta(at * 40, kind, [...new TextEncoder().encode(words)]);
  const head = [...(title ? [text(0, 3, title)] : []), midiMeta(0, 0x51, midiBig(tempo, 3)), midiMeta(0, 0x58, [4, 2, 24, 8]),
    ...(key ? [midiMeta(0, 0x59, [key.fifths & 255, key.mode === "minor" ? 1 : 0])] : [])];
  const beside = [], verses = {};
  for (const [m, own] of Object.entries(signs)) {
    const from = m * MEASURE, onsets = notes.filter(({ start }) => start >= from && start < from + MEASURE);
    beside.push(...own.chords.map(([at, name]) => text(from + at, 6, name)));
    for (const [verse, sung] of sungBy(own, onsets.map(({ pitch, start }) => ({ symbol: pitch, at: start - from })))) {
      for (const [place, syllable] of sung) {
        const word = syllable.replace(/_+$/, "").replace(/\u2011/g, "-");
        (verses[verse] ??= []).push(text(onsets[place].start, 5, word.endsWith("-") ? word.slice(0, -1) : `${word} `));
      }
    }
  }
  const sounding = notes.flatMap(({ pitch, start, length: long }) => [
    { at: start * 40, bytes: [0x90, pitch, VELOCITY] },
    { at: (start + long) * 40, bytes: [0x80, pitch, 0] },
  ]).sort((a, b) => a.at - b.at || a.bytes[0] - b.bytes[0]);
  const [first = [], ...further] = Object.values(verses);
  const tracks = [[...head, ...[...beside, ...first, ...sounding].sort((a, b) => a.at - b.at)],
    ...further.map((lyrics, i) => [text(0, 3, `Verse ${i + 2}`), ...lyrics])];
  return packMidi(tracks.length > 1 ? 1 : 0, 480, tracks.map((events) =>
    [...events, midiMeta(Math.max(40 * length, ...events.map(({ at }) => at)), 0x2f, [])]));
}

const typeOf = ({ hollow, stem, flags }) => (!stem ? "whole" : hollow ? "half" : ["quarter", "eighth", "16th", "32nd"][flags]);

/** By verse the syllables of a measure's glyphs, by their place: each at its note or, where not every one has a note that
 * starts there, in order, as far as there are notes. */
function sungBy({ lyrics = [] } = {}, glyphs) {
  const onsets = new Map(glyphs.flatMap(({ symbol, tiedBefore, at }, i) => (symbol >= 0 && !tiedBefore ? [[at, i]] : [])));
  return [...new Set(lyrics.map(([, verse]) => verse))].sort((a, b) => a - b).map((verse) => {
    const own = lyrics.filter((one) => one[1] === verse), there = own.every(([at]) => onsets.has(at));
    const places = there ? own.map(([at]) => onsets.get(at)) : [...onsets.values()].slice(0, own.length);
    return [verse, new Map(places.map((place, i) => [place, own[i][2]]))];
  });
}

const barline = (side, ending, type, repeat) => `<barline location="${side}">${ending ? `<ending number="${ending}" type="${type}"/>` : ""}`
  + `${repeat ? `<repeat direction="${repeat}"/>` : ""}</barline>`;

function harmony([at, name]) {
  const [, root, alter, kind, bass, low] = /^([A-G])([#b]?)([^/]*)(?:\/([A-G])([#b]?))?/.exec(name);
  const known = Object.entries(KINDS).find(([, text]) => text === kind)?.[0] ?? "other";
  const step = (tag, letter, sign) => `<${tag}><${tag}-step>${letter}</${tag}-step>`
    + `${sign ? `<${tag}-alter>${sign === "#" ? 1 : -1}</${tag}-alter>` : ""}</${tag}>`;
  return `<harmony>${step("root", root, alter)}<kind text="${names(kind)}">${known}</kind>${bass ? step("bass", bass, low) : ""}`
    + `${at ? `<offset>${at}</offset>` : ""}</harmony>`;
}

const XML_SIGNS = { "-2": "flat-flat", "-1": "flat", 0: "natural", 1: "sharp", 2: "double-sharp" };
const XML_COLOURS = Object.fromEntries(Object.entries(MARKS).map(([colour, symbol]) => [symbol, colour]));
const xmlLine = (tag, text) => `<${tag}>${text}</${tag}>`;

/** One bar's glyphs as <note> elements, as `elements` in write_musicxml.py has them. divisions: of a quarter note; lyrics(place): what
 * is sung there. */
function xmlBar(glyphs, key, divisions, voice = "1", lyrics = () => "") {
  const shown = {}, beams = xmlBeams(glyphs), each = (tag, kinds) => kinds.map((kind) => `<${tag} type="${kind}"/>`).join("");
  return glyphs.map(({ symbol, at, length, value, tiedBefore, tied, anew }, place) => {
    let what = "<rest/>", colour = "", sign = "";
    if (symbol >= 0) {
      const { step, alter, octave } = key.spell(symbol), name = step + octave;
      what = xmlLine("pitch", xmlLine("step", step) + (alter ? xmlLine("alter", alter) : "") + xmlLine("octave", octave));
      if (alter !== (shown[name] ?? key.alters[step]) && !tiedBefore) {
        sign = xmlLine("accidental", XML_SIGNS[alter]);
        shown[name] = alter;
      }
    } else if (symbol !== REST || anew) {
      colour = ` color="${XML_COLOURS[symbol]}"`;
    }
    const ties = [...(tiedBefore ? ["stop"] : []), ...(tied ? ["start"] : [])], { triplet } = value;
    const tuplet = [...(triplet && at % 12 === 0 ? ["start"] : []), ...(triplet && (at % 12) + length === 12 ? ["stop"] : [])];
    const notations = each("tied", ties) + each("tuplet", tuplet);
    return `<note${colour}>${what}${xmlLine("duration", fraction(length, 12).times(divisions))}${each("tie", ties)}${xmlLine("voice", names(voice))}`
      + `${xmlLine("type", typeOf(value))}${"<dot/>".repeat(value.dots)}${sign}`
      + (triplet ? xmlLine("time-modification", xmlLine("actual-notes", 3) + xmlLine("normal-notes", 2)) : "")
      + `${beams[place]}${notations && xmlLine("notations", notations)}${lyrics(place)}</note>`;
  });
}

/** The beams of each glyph: they join the flags of notes that follow each other within a beat. */
function xmlBeams(glyphs) {
  const flags = glyphs.map(({ symbol, value }) => (symbol >= 0 ? value.flags : 0)), beats = glyphs.map(({ at }) => Math.floor(at / 12));
  return flags.map((own, at) => {
    const [before, after] = [at - 1, at + 1].map((other) => (beats[other] === beats[at] ? flags[other] : 0));
    const kind = (level) => (before >= level ? (after >= level ? "continue" : "end") : after >= level ? "begin"
      : before ? "backward hook" : "forward hook");
    const levels = before || after ? Array.from({ length: own }, (_, i) => i + 1) : [];
    return levels.map((level) => `<beam number="${level}">${kind(level)}</beam>`).join("");
  });
}

/** Measures, as written -> MusicXML text; transpose: by how many semitones they sound higher; signs: see besideOf. */
function musicXmlFile(measures, beatsPerMinute, { title, composer = "", key, transpose = 0, signs = {} }) {
  const line = xmlLine, written = notate(measures);
  const usual = signatureOf(key.fifths), changed = [...STEPS].some((step) => key.alters[step] !== usual[step]);
  const signature = !changed ? line("fifths", key.fifths) + (key.mode ? line("mode", key.mode) : "")
    : Object.entries(key.alters).map(([step, alter]) => (alter ? line("key-step", step) + line("key-alter", alter) : "")).join("");
  const first = `<attributes><divisions>12</divisions>${line("key", signature)}`
    + "<time><beats>4</beats><beat-type>4</beat-type></time><clef><sign>G</sign><line>2</line></clef>"
    + (transpose ? `<transpose><diatonic>${Math.round((transpose * 7) / 12)}</diatonic><chromatic>${transpose}</chromatic></transpose>` : "")
    + "</attributes>"
    + "<direction placement=\"above\"><direction-type><metronome><beat-unit>quarter</beat-unit>"
    + `<per-minute>${beatsPerMinute}</per-minute></metronome></direction-type><sound tempo="${beatsPerMinute}"/></direction>`;
  const inside = {}; // verse -> whether a word goes on
  const lyric = (verse, text) => {
    const goesOn = text.endsWith("-"), kind = [["single", "begin"], ["end", "middle"]][Number(inside[verse] ?? false)][Number(goesOn)];
    inside[verse] = goesOn;
    return `<lyric number="${verse}"><syllabic>${kind}</syllabic>${line("text", names(text.replace(/[-_]+$/, "")))}`
      + `${text.endsWith("_") ? "<extend/>" : ""}</lyric>`;
  };
  let ending = "";
  const bars = written.map((glyphs, m) => {
    const sung = sungBy(signs[m], glyphs), own = signs[m] ?? {}, following = signs[m + 1] ?? {};
    const notes = xmlBar(glyphs, key, 12, "1", (place) =>
      sung.map(([verse, texts]) => (texts.has(place) ? lyric(verse, texts.get(place)) : "")).join(""));
    ending = own.ending || ending;
    const over = ending && (own.closes || own.stops || following.opens || following.ending || m === measures.length - 1);
    const left = own.opens || own.ending ? barline("left", own.ending, "start", own.opens ? "forward" : "") : "";
    const right = own.closes || over ? barline("right", over ? ending : "", "stop", own.closes ? "backward" : "") : "";
    if (over) ending = "";
    const chords = (own.chords ?? []).map(harmony).join("");
    return `<measure number="${m + 1}">${left}${m ? "" : first}${chords}${notes.join("\n")}${right}</measure>`;
  });
  return '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    + '"http://www.musicxml.org/dtds/partwise.dtd">\n<score-partwise version="4.0">'
    + `<work>${line("work-title", names(title))}</work>`
    + (composer ? `<identification><creator type="composer">${names(composer)}</creator></identification>` : "")
    + `<part-list><score-part id="P1"><part-name>Melody</part-name></score-part></part-list>`
    + `<part id="P1">\n${bars.join("\n")}\n</part></score-partwise>\n`;
}

const ABC_SIGNS = { "-2": "__", "-1": "_", 0: "=", 1: "^", 2: "^^" };
/** A key as the field K: has it: "G", "Em", "D dor ^c". */
function keyField(key) {
  const { tonic, mode } = key.tonic ? key : Key.of(key.fifths, "major"), count = (sign) => tonic.split(sign).length - 1;
  const usual = signatureOf(FIFTHS.indexOf(tonic[0]) - 1 + 7 * (count("#") - count("b")) - MODES[mode]);
  const changed = [...STEPS].filter((step) => key.alters[step] !== usual[step]);
  return tonic + ({ major: "", minor: "m" }[mode] ?? ` ${mode.slice(0, 3)}`)
    + changed.map((step) => ` ${ABC_SIGNS[key.alters[step]]}${step.toLowerCase()}`).join("");
}

/** One bar's glyphs as ABC, as `bar_text` in write_abc.py has it. unit: quarter notes of L:; words: [twelfths, text], each set before
 * the first note that starts there or later, or else before the last. */
function abcBar(glyphs, key, unit, words = []) {
  const altered = new Set(), waiting = [...words].sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : Number(a[1] > b[1])));
  return glyphs.map((glyph, place) => {
    const { symbol, at, value } = glyph, beat = Math.floor(at / 12), starts = at % 12 === 0;
    let text = place && starts ? " " : "";
    while (waiting.length && (waiting[0][0] <= at || place === glyphs.length - 1)) text += waiting.shift()[1];
    if (value.triplet && starts) {
      const count = glyphs.filter((other) => Math.floor(other.at / 12) === beat).length;
      text += count === 3 ? "(3" : `(3:2:${count}`;
    }
    const length = fraction(glyph.length * (value.triplet ? 3 : 2), 24).by(unit);
    return text + (symbol >= 0 ? abcNote(symbol, key, altered) : "z") + String(length).replace(/^1\b/, "") + (glyph.tied ? "-" : "");
  }).join("");
}
/** A note's accidental, where any reader may need it, letter and octave: readers differ in whether a sign holds for other octaves. */
function abcNote(symbol, key, altered) {
  const { step, alter, octave } = key.spell(symbol), signed = alter !== key.alters[step] || altered.has(step);
  if (signed) altered.add(step);
  return (signed ? ABC_SIGNS[alter] : "") + (octave > 4 ? step.toLowerCase() + "'".repeat(octave - 5) : step + ",".repeat(4 - octave));
}

/** Measures -> ABC text, four measures a line; see musicXmlFile. */
function abcFile(measures, beatsPerMinute, { title, composer = "", key, transpose = 0, signs = {} }) {
  const cuts = Object.entries(signs).map(([m, { chords }]) => [m, chords.map(([at]) => at).filter((at) => at % 12 === 0)]);
  const written = notate(measures, Object.fromEntries(cuts));
  const bars = written.map((glyphs, m) => {
    const own = signs[m] ?? {}, following = signs[m + 1] ?? {};
    const text = abcBar(glyphs, key, fraction(1, 2), (own.chords ?? []).map(([at, name]) => [at, `"${name}"`]));
    const line = own.closes ? ":|" : m === measures.length - 1 ? "|]" : own.stops ? "||" : "|";
    return `${own.opens && !m ? "|:" : ""}${text} ${line}`
      + `${following.opens ? ":" : ""}${following.ending ? `[${following.ending}` : ""}`;
  });
  const sung = written.map((glyphs, m) => new Map(sungBy(signs[m], glyphs))), held = {}, lines = [];
  const verseOf = (m, verse) => written[m].flatMap(({ symbol, tiedBefore }, place) => {
    const text = sung[m].get(verse)?.get(place);
    if (symbol < 0) return [];
    if (text === undefined) return [held[verse] || tiedBefore ? "_" : "*"];
    held[verse] = text.endsWith("_");
    return [text.replace(/[-_]+$/, "").replace(/[|*_\s]+/g, "~").replace(/[-\u2011]/g, "\\-") + (text.endsWith("-") ? "-" : "")];
  }).join(" ");
  for (let from = 0; from < bars.length; from += 4) {
    const some = bars.slice(from, from + 4).map((_, i) => from + i), verses = Math.max(0, ...some.flatMap((m) => [...sung[m].keys()]));
    lines.push(some.map((m) => bars[m]).join(" "));
    for (let verse = 1; verse <= verses; verse++) lines.push(`w: ${some.map((m) => verseOf(m, verse)).join(" | ")}`);
  }
  const plain = (text) => text.replace(/[\n%]/g, " "), sounding = transpose ? ` transpose=${transpose}` : "";
  return `X:1\nT:${plain(title)}\n${composer ? `C:${plain(composer)}\n` : ""}M:4/4\nL:1/8\nQ:1/4=${beatsPerMinute}\n`
    + `K:${keyField(key)}${sounding}\n${lines.join("\n")}\n`;
}

/** Give a file to the reader of the page, named after what it holds. */
function saveFile(content, type, title, ending) {
  const plain = title.normalize("NFKD").replace(/(?<=\p{Script=Latin})\p{M}+/gu, "").normalize("NFC"); // elsewhere marks are letters' own
  const stem = plain.replace(/[^\p{L}\p{M}\p{N}_]+/gu, "-").replace(/^-+|-+$/g, "").toLowerCase() || "edited";
  const link = element("a", { href: URL.createObjectURL(new Blob([content], { type })), download: `${stem}${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
