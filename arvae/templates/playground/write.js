"use strict";
// Melodies as files: MIDI, MusicXML and ABC, with title, key and tempo. Pieces of a measure: see piecesOf in draw.js.

/** Notes -> a standard MIDI file (format 0), 480 ticks a quarter note, as Uint8Array. */
function midiFile(notes, beatsPerMinute, { title = "", key = null, length = 0 } = {}) {
  const events = notes.flatMap(({ pitch, start, length: long }) => [
    { at: start * 40, bytes: [0x90, pitch, 80] },
    { at: (start + long) * 40, bytes: [0x80, pitch, 0] },
  ]).sort((a, b) => a.at - b.at || a.bytes[0] - b.bytes[0]);
  const tempo = Math.round(60e6 / beatsPerMinute), digitsOf = (value) => {
    const digits = [value & 127];
    for (let rest = value >> 7; rest > 0; rest >>= 7) digits.unshift((rest & 127) | 128);
    return digits;
  };
  const name = [...new TextEncoder().encode(title)];
  const track = [...(title ? [0, 0xff, 3, ...digitsOf(name.length), ...name] : []),
    0, 0xff, 0x51, 3, tempo >> 16, (tempo >> 8) & 255, tempo & 255, 0, 0xff, 0x58, 4, 4, 2, 24, 8,
    ...(key ? [0, 0xff, 0x59, 2, key.fifths & 255, key.mode === "minor" ? 1 : 0] : [])];
  let now = 0;
  for (const { at, bytes } of events) {
    track.push(...digitsOf(at - now), ...bytes);
    now = at;
  }
  track.push(...digitsOf(Math.max(length * 40 - now, 0)), 0xff, 0x2f, 0);
  const size = [24, 16, 8, 0].map((shift) => (track.length >> shift) & 255);
  const text = (word) => [...word].map((letter) => letter.charCodeAt(0));
  return Uint8Array.from([...text("MThd"), 0, 0, 0, 6, 0, 0, 0, 1, 480 >> 8, 480 & 255, ...text("MTrk"), ...size, ...track]);
}

const typeOf = ({ hollow, stem, flags }) => (!stem ? "whole" : hollow ? "half" : ["quarter", "eighth", "16th", "32nd"][flags]);

/** Measures, as written -> MusicXML text; transpose: by how many semitones they sound higher. */
function musicXmlFile(measures, beatsPerMinute, { title, key, transpose = 0 }) {
  const notes = toNotes(measures), line = (tag, text) => `<${tag}>${text}</${tag}>`;
  const accidental = { "♯": "sharp", "♭": "flat", "♮": "natural", "♯♯": "double-sharp", "♭♭": "flat-flat" };
  const first = `<attributes><divisions>12</divisions><key><fifths>${key.fifths}</fifths>${key.mode ? line("mode", key.mode) : ""}</key>`
    + "<time><beats>4</beats><beat-type>4</beat-type></time><clef><sign>G</sign><line>2</line></clef>"
    + (transpose ? `<transpose><diatonic>${Math.round((transpose * 7) / 12)}</diatonic><chromatic>${transpose}</chromatic></transpose>` : "")
    + "</attributes>"
    + "<direction placement=\"above\"><direction-type><metronome><beat-unit>quarter</beat-unit>"
    + `<per-minute>${beatsPerMinute}</per-minute></metronome></direction-type><sound tempo="${beatsPerMinute}"/></direction>`;
  const bars = measures.map((_, m) => {
    const pieces = piecesOf(notes, m, key).map((piece) => {
      const { spelled, length, value, tied, tiedBefore, sign } = piece, ties = [...(tiedBefore ? ["stop"] : []), ...(tied ? ["start"] : [])];
      const start = !value.triplet ? null : piece.at % 12 === 0 ? "start" : (piece.at + length) % 12 === 0 ? "stop" : null;
      const pitch = spelled ? line("pitch", line("step", spelled.step) + (spelled.alter ? line("alter", spelled.alter) : "") + line("octave", spelled.octave)) : "<rest/>";
      const notations = (spelled ? ties.map((type) => `<tied type="${type}"/>`).join("") : "") + (start ? `<tuplet type="${start}"/>` : "");
      return line("note", pitch + line("duration", length) + (spelled ? ties.map((type) => `<tie type="${type}"/>`).join("") : "")
        + line("voice", 1) + line("type", typeOf(value)) + "<dot/>".repeat(value.dots)
        + (sign ? line("accidental", accidental[sign]) : "")
        + (value.triplet ? line("time-modification", line("actual-notes", 3) + line("normal-notes", 2)) : "")
        + (notations ? line("notations", notations) : ""));
    });
    return `<measure number="${m + 1}">${m ? "" : first}${pieces.join("\n")}</measure>`;
  });
  return '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    + '"http://www.musicxml.org/dtds/partwise.dtd">\n<score-partwise version="4.0">'
    + `<work>${line("work-title", names(title))}</work><part-list><score-part id="P1"><part-name>Melody</part-name></score-part></part-list>`
    + `<part id="P1">\n${bars.join("\n")}\n</part></score-partwise>\n`;
}

/** Measures -> ABC text, four measures a line. */
function abcFile(measures, beatsPerMinute, { title, key }) {
  const notes = toNotes(measures), shown = key.tonic ? key : Key.of(key.fifths, "major");
  const mode = shown.mode === "major" ? "" : shown.mode === "minor" ? "m" : ` ${shown.mode.slice(0, 3)}`;
  const length = (twelfths) => {
    const { over, under } = fraction(twelfths, 6);
    return `${over === 1 ? "" : over}${under === 1 ? "" : `/${under}`}`;
  };
  const bars = measures.map((_, m) => {
    const altered = {};
    let text = "", beat = -1;
    const pieces = piecesOf(notes, m, key);
    for (const piece of pieces) {
      const at = Math.floor(piece.at / 12), { value, spelled } = piece;
      if (at !== beat && text) text += " ";
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
      text += (signed ? { "-2": "__", "-1": "_", 0: "=", 1: "^", 2: "^^" }[alter] : "") + letter + long + (piece.tied ? "-" : "");
    }
    return text;
  });
  const lines = [];
  for (let m = 0; m < bars.length; m += 4) lines.push(`${bars.slice(m, m + 4).join(" | ")} ${m + 4 < bars.length ? "|" : "|]"}`);
  return `X:1\nT:${title.replace(/[\n%]/g, " ")}\nM:4/4\nL:1/8\nQ:1/4=${beatsPerMinute}\nK:${shown.tonic}${mode}\n${lines.join("\n")}\n`;
}

/** Give a file to the reader of the page, named after what it holds. */
function saveFile(content, type, title, ending) {
  const stem = title.normalize("NFKD").replace(/[^\w]+/g, "-").replace(/^-+|-+$/g, "").toLowerCase() || "edited";
  const link = element("a", { href: URL.createObjectURL(new Blob([content], { type })), download: `${stem}${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
