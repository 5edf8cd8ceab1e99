"use strict";
// Melodies as files: MIDI, MusicXML and ABC, with title, key and tempo. Pieces of a measure: see piecesOf in draw.js.

/** Notes -> a standard MIDI file, 480 ticks a quarter note, as Uint8Array; signs: see besideOf. As `encode` in write_midi.py has it,
 * chord symbols are markers, syllables lyric events in which a space ends a word, and each further verse has its own track. */
function midiFile(notes, beatsPerMinute, { title = "", key = null, length = 0, signs = {} } = {}) {
  const tempo = Math.round(60e6 / beatsPerMinute), big = (number, size) => Array.from({ length: size }, (_, i) => (number >> (8 * (size - 1 - i))) & 255);
  const digitsOf = (value) => {
    const digits = [value & 127];
    for (let rest = value >> 7; rest > 0; rest >>= 7) digits.unshift((rest & 127) | 128);
    return digits;
  };
  const ascii = (word) => [...word].map((letter) => letter.charCodeAt(0));
  const meta = (at, kind, bytes) => ({ at: at * 40, bytes: [0xff, kind, ...digitsOf(bytes.length), ...bytes] });
  const text = (at, kind, words) => meta(at, kind, [...new TextEncoder().encode(words)]);
  const chunk = (events) => {
    let now = 0;
    const bytes = [...events, meta(Math.max(length, ...events.map(({ at }) => at / 40)), 0x2f, [])].flatMap(({ at, bytes: own }) => {
      const step = digitsOf(at - now);
      now = at;
      return [...step, ...own];
    });
    return [...ascii("MTrk"), ...big(bytes.length, 4), ...bytes];
  };
  const head = [...(title ? [text(0, 3, title)] : []), meta(0, 0x51, big(tempo, 3)), meta(0, 0x58, [4, 2, 24, 8]),
    ...(key ? [meta(0, 0x59, [key.fifths & 255, key.mode === "minor" ? 1 : 0])] : [])];
  const beside = [], verses = {};
  for (const [m, own] of Object.entries(signs)) {
    const from = m * MEASURE, onsets = notes.filter(({ start }) => start >= from && start < from + MEASURE);
    beside.push(...own.chords.map(([at, name]) => text(from + at, 6, name)));
    for (const [verse, sung] of sungBy(own, onsets.map(({ start }) => ({ note: true, at: start - from })))) {
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
    ...further.map((lyrics, i) => [text(0, 3, `Verse ${i + 2}`), ...lyrics])].map(chunk);
  return Uint8Array.from([...ascii("MThd"), ...big(6, 4), ...big(tracks.length > 1 ? 1 : 0, 2), ...big(tracks.length, 2), ...big(480, 2), ...tracks.flat()]);
}

const typeOf = ({ hollow, stem, flags }) => (!stem ? "whole" : hollow ? "half" : ["quarter", "eighth", "16th", "32nd"][flags]);

/** By verse the syllables of a measure's pieces, by their place: each at its note or, where not every one has a note that
 * starts there, in order, as far as there are notes. */
function sungBy({ lyrics = [] } = {}, pieces) {
  const onsets = new Map(pieces.flatMap(({ note, tiedBefore, at }, i) => (note && !tiedBefore ? [[at, i]] : [])));
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

/** Measures, as written -> MusicXML text; transpose: by how many semitones they sound higher; signs: see besideOf. */
function musicXmlFile(measures, beatsPerMinute, { title, composer = "", key, transpose = 0, signs = {} }) {
  const notes = toNotes(measures), line = (tag, text) => `<${tag}>${text}</${tag}>`;
  const accidental = { "♯": "sharp", "♭": "flat", "♮": "natural", "♯♯": "double-sharp", "♭♭": "flat-flat" };
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
  const bars = measures.map((_, m) => {
    const written = piecesOf(notes, m, key), sung = sungBy(signs[m], written), own = signs[m] ?? {}, following = signs[m + 1] ?? {};
    const pieces = written.map((piece, place) => {
      const { spelled, length, value, tied, tiedBefore, sign } = piece, ties = [...(tiedBefore ? ["stop"] : []), ...(tied ? ["start"] : [])];
      const start = !value.triplet ? null : piece.at % 12 === 0 ? "start" : (piece.at + length) % 12 === 0 ? "stop" : null;
      const pitch = spelled ? line("pitch", line("step", spelled.step) + (spelled.alter ? line("alter", spelled.alter) : "") + line("octave", spelled.octave)) : "<rest/>";
      const notations = (spelled ? ties.map((type) => `<tied type="${type}"/>`).join("") : "") + (start ? `<tuplet type="${start}"/>` : "");
      return line("note", pitch + line("duration", length) + (spelled ? ties.map((type) => `<tie type="${type}"/>`).join("") : "")
        + line("voice", 1) + line("type", typeOf(value)) + "<dot/>".repeat(value.dots)
        + (sign ? line("accidental", accidental[sign]) : "")
        + (value.triplet ? line("time-modification", line("actual-notes", 3) + line("normal-notes", 2)) : "")
        + (notations ? line("notations", notations) : "")
        + sung.map(([verse, texts]) => (texts.has(place) ? lyric(verse, texts.get(place)) : "")).join(""));
    });
    ending = own.ending || ending;
    const over = ending && (own.closes || own.stops || following.opens || following.ending || m === measures.length - 1);
    const left = own.opens || own.ending ? barline("left", own.ending, "start", own.opens ? "forward" : "") : "";
    const right = own.closes || over ? barline("right", over ? ending : "", "stop", own.closes ? "backward" : "") : "";
    if (over) ending = "";
    const chords = (own.chords ?? []).map(harmony).join("");
    return `<measure number="${m + 1}">${left}${m ? "" : first}${chords}${pieces.join("\n")}${right}</measure>`;
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

/** Measures -> ABC text, four measures a line; see musicXmlFile. */
function abcFile(measures, beatsPerMinute, { title, composer = "", key, transpose = 0, signs = {} }) {
  const notes = toNotes(measures);
  const length = (twelfths) => {
    const { over, under } = fraction(twelfths, 6);
    return `${over === 1 ? "" : over}${under === 1 ? "" : `/${under}`}`;
  };
  const written = measures.map((_, m) => piecesOf(notes, m, key, (signs[m]?.chords ?? []).map(([at]) => at).filter((at) => at % 12 === 0)));
  const bars = written.map((pieces, m) => {
    const altered = {}, own = signs[m] ?? {}, following = signs[m + 1] ?? {}, waiting = [...(own.chords ?? [])];
    let text = "", beat = -1;
    for (const piece of pieces) {
      const at = Math.floor(piece.at / 12), { value, spelled } = piece;
      if (at !== beat && text) text += " ";
      while (waiting.length && (waiting[0][0] <= piece.at || piece === pieces[pieces.length - 1])) text += `"${waiting.shift()[1]}"`;
      if (value.triplet && at !== beat) {
        text += `(3:2:${pieces.filter((other) => other.value.triplet && Math.floor(other.at / 12) === at).length}`;
      }
      beat = at;
      const long = length(value.triplet ? (piece.length * 3) / 2 : piece.length);
      if (!spelled) {
        text += `z${long}`;
        continue;
      }
      const { step, alter, octave } = spelled;
      // Readers differ in whether a sign holds for other octaves: it is written wherever that could matter.
      const signed = alter !== key.alters[step] || step in altered;
      if (alter !== key.alters[step]) altered[step] = alter;
      const letter = octave >= 5 ? step.toLowerCase() + "'".repeat(octave - 5) : step + ",".repeat(4 - octave);
      text += (signed ? ABC_SIGNS[alter] : "") + letter + long + (piece.tied ? "-" : "");
    }
    const line = own.closes ? ":|" : m === measures.length - 1 ? "|]" : own.stops ? "||" : "|";
    return `${own.opens && !m ? "|:" : ""}${text} ${line}`
      + `${following.opens ? ":" : ""}${following.ending ? `[${following.ending}` : ""}`;
  });
  const sung = written.map((pieces, m) => new Map(sungBy(signs[m], pieces))), held = {}, lines = [];
  const verseOf = (m, verse) => written[m].flatMap((piece, place) => {
    const text = sung[m].get(verse)?.get(place);
    if (!piece.note) return [];
    if (text === undefined) return [held[verse] || piece.tiedBefore ? "_" : "*"];
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
