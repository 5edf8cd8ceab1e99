"use strict";
// ABC notation to scores, as arvae/music/abc.py reads it: the same grammar, the same refusals in the same words.

const grammarOf = (name, flags = "y") => new RegExp(data.grammar.abc[name], flags);
const ABC_TOKEN = grammarOf("token"), ABC_IN_CHORD = grammarOf("in_chord"), ABC_KEY = new RegExp(`^${data.grammar.abc.key}`);
const ABC_SETTING = grammarOf("setting", "g"), ABC_METRE = new RegExp(`^${data.grammar.abc.metre}$`);
const ABC_SYLLABLE = grammarOf("syllable", "g"), ABC_CHORD = new RegExp(`^${data.grammar.abc.chord}`), ABC_LARGEST = 100000;
const ABC_MARK = /^(?:[{!+].|\($|"[_^<>@]|[\s).`*;?@#$\\]*[.~H-WYh-w])/; // grace notes, decorations, slurs, annotations
const { alter: ALTER, abcModes: ABC_MODES } = data.grammar;
/** A text in quotes, as Python writes it in a message. */
const quoted = (text) => (text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`);

/** A file's text: UTF-8, UTF-16, or Latin-1. */
function abcText(bytes) {
  const start = (bytes[0] << 8) | bytes[1];
  if (start === 0xfffe || start === 0xfeff) return new TextDecoder(start === 0xfffe ? "utf-16le" : "utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

/** Cut a file into tunes, each with what the file's header says for all. */
function abcTunes(whole) {
  const text = whole.replace(/\r\n?/g, "\n").replace(/^%%begin(\w+)[^]*?(?:^%%end\1[^\n]*\n?|(?![^]))/gm, "");
  const found = text.split(/^(?=X:)/m), head = text.startsWith("X:") ? "" : found.shift();
  const shared = head.split("\n").filter((line) => /^(?:[ILM]:|%%)/.test(line));
  const tunes = found.map((tune) => {
    const [number, rest] = partition(tune, "\n"), own = partition(rest, "\nK:")[0];
    const kept = shared.filter((line) => !"LM".includes(line[0]) || !new RegExp(`^${line[0]}:`, "m").test(own));
    return [number, ...kept, rest].join("\n");
  });
  return (tunes.length ? tunes : [text]).map(untilBlank);
}
function partition(text, sign) {
  const at = text.indexOf(sign);
  return at < 0 ? [text, "", false] : [text.slice(0, at), text.slice(at + sign.length), true];
}
function untilBlank(tune) {
  const key = /^K:.*\n/m.exec(tune);
  if (!key) return tune;
  const from = key.index + key[0].length, blank = /^[ \t]*$/m.exec(tune.slice(from));
  return blank ? tune.slice(0, from + blank.index) : tune;
}
const abcField = (tune, letter) => new RegExp(`^${letter}:([^%\\n]*)`, "m").exec(tune)?.[1].trim() ?? null;

/** One tune: {title, parts, key, tempo}; its voices are the parts. */
function readAbcTune(tune) {
  const voices = abcVoices(tune);
  const tempo = /(\d{1,2})\/(\d{1,2})\s*=\s*(\d{1,4}(?:\.\d{1,3})?)/.exec(abcField(tune, "Q") ?? "");
  return {
    title: abcField(tune, "T") ?? "", composer: abcField(tune, "C") ?? "", tempo: tempo ? (4 * tempo[1] * tempo[3]) / (Number(tempo[2]) || 4) : null,
    parts: voices.map((voice) => voice.part(voices.length > 1)),
  };
}

/** The voices that are the parts of a tune. */
function abcVoices(tune) {
  if (tune.length > ABC_LARGEST) {
    throw new TuneError(BROKEN, `the tune has ${thousands(tune.length)} characters, it may have ${thousands(ABC_LARGEST)}: cut it`);
  }
  const reading = new AbcTune();
  for (const [letter, line, at] of abcLines(tune)) {
    if (letter) reading.field(letter, line);
    else reading.music(line, at);
  }
  if (reading.inHeader) throw new TuneError(BROKEN, "the tune has no field K:, which ends its header: write one such as K:C");
  const voices = [...reading.voices.values()];
  for (const voice of voices) voice.close();
  const filled = voices.filter((voice) => voice.notes.length);
  return filled.length ? filled : voices.slice(0, 1);
}

/** What a line w: has for the notes of each bar of the line above, of which there are so many: up to the bar line where it has one. */
function abcSyllables(line, counts) {
  const slots = line.match(ABC_SYLLABLE) ?? [];
  return counts.map((count) => {
    const own = [];
    while (slots.length && own.length < count && slots[0] !== "|") own.push(slots.shift());
    if (slots[0] === "|") slots.shift();
    return own;
  });
}

/** The tune's lines without comments: [letter of the field or "", the rest, where the line starts]. */
function abcLines(tune) {
  const found = [];
  let body = false, before = "", following = 0;
  for (let line of tune.split("\n")) {
    const at = following + line.length - line.trimStart().length;
    following += line.length + 1;
    const directive = /^%%\s*(?:abc-)?(propagate-accidentals\s+\w+)/.exec(line);
    if (directive) found.push(["I", directive[1], at]);
    line = line.replace(/(?<!\\)%.*/, "").trim();
    const [letter, value, colon] = partition(line, ":");
    if (letter === "+" && before) {
      found.push([before, "IKLMQV".includes(before) ? value.trim() : "", at]);
      continue;
    }
    let isField = colon && /^\p{L}$/u.test(letter);
    if (isField && body && "ABCDEFGabcdefgxz".includes(letter) && [":", "|", ""].includes(value.slice(0, 1))) isField = false;
    before = isField ? letter : "";
    body ||= letter === "K";
    if (line) found.push(isField ? [letter, value.trim(), at] : ["", line, at]);
  }
  return found;
}

/** One voice while it is read. */
class AbcVoice {
  constructor(given) {
    Object.assign(this, {
      name: "", key: {}, unit: null, metre: "none", nominal: fraction(0), propagate: "pitch", transpose: 0, percussion: false,
      now: fraction(0), barStart: fraction(0), barEnd: fraction(0), section: true, lastLength: fraction(0), written: fraction(0),
      startKey: null, broken: fraction(1), tuplet: fraction(1), tupletLeft: 0,
    }, given, { notes: [], bars: [], accidentals: {}, last: {}, ties: {}, signs: noSigns(), line: new Map(), verse: 0,
      tokens: [], sources: [] }); // of the bar under way; of all bars
  }
  fault(detail) { return new TuneError(BROKEN, `bar ${this.bars.length + 1} has ${detail}`); }
  length(written) {
    const [, number, slashes, below] = /^(\d*)(\/*)(\d*)$/.exec(written);
    if (Math.max(number.length, slashes.length, below.length) > 6 || [number, below].some((n) => n && !Number(n))) {
      throw this.fault(`the length ${quoted(written.slice(0, 20))}: correct it`);
    }
    const divided = below ? Number(below) * 2 ** (slashes.length - 1) : 2 ** slashes.length;
    return fraction(Number(number || 1), slashes ? divided : 1);
  }
  pitch({ step: letter, accidental, octave: marks, note }) {
    const step = letter.toUpperCase(), count = (sign) => marks.split(sign).length - 1;
    const octave = (letter === step ? 0 : 1) + count("'") - count(","), name = `${step}${octave}`;
    const holds = this.propagate === "pitch" ? step : name;
    let alter;
    if (accidental) {
      if (!(accidental in ALTER)) throw this.fault(`the accidental ${quoted(accidental)}: use one of ${Object.keys(ALTER).join(" ")}`);
      alter = ALTER[accidental];
      if (this.propagate !== "not") this.accidentals[holds] = alter;
    } else if (name in this.ties) {
      return [name, this.ties[name].pitch];
    } else {
      alter = this.accidentals[holds] ?? this.key[step] ?? 0;
    }
    const pitch = 60 + 12 * octave + SEMITONES[step] + alter + this.transpose;
    if (pitch < 0 || pitch > 127) throw this.fault(`${quoted(note)}, which is no pitch of MIDI: correct its octave`);
    return [name, pitch];
  }
  /** Notes [name, pitch, length, tied] that start together, or a rest; lengths in units. */
  add(notes, length) {
    if (+this.broken !== 1 && !same(length, this.written)) {
      throw this.fault("a broken rhythm (> or <) between notes of different lengths: write their lengths out");
    }
    const factor = this.unit.times(this.broken).times(this.tupletLeft ? this.tuplet : 1);
    this.written = +this.broken === 1 ? length : fraction(0);
    this.tupletLeft = Math.max(this.tupletLeft - 1, 0);
    this.broken = fraction(1);
    const ties = this.ties;
    this.ties = {};
    this.last = {};
    for (const [name, pitch, duration, tied] of notes) {
      let entry = ties[name];
      if (entry && entry.pitch === pitch && same(entry.start.plus(entry.duration), this.now)) {
        entry.duration = entry.duration.plus(duration.times(factor));
      } else {
        entry = { start: this.now, duration: duration.times(factor), pitch };
        this.notes.push(entry);
      }
      this.last[name] = entry;
      if (tied) this.ties[name] = entry;
    }
    if (notes.length) {
      const place = this.bars.length, tied = Object.values(this.last).every((entry) => entry.start < this.now);
      this.line.set(place, [...(this.line.get(place) ?? []), [this.now, tied]]);
    }
    this.lastLength = length.times(factor);
    this.move(this.lastLength);
  }
  move(by) {
    this.now = this.now.plus(by);
    this.barEnd = later(this.barEnd, this.now);
  }
  breakRhythm(signs) {
    if (!+this.lastLength || !+this.written || signs.length > 3) {
      throw this.fault(`${quoted(signs.slice(0, 10))} without a note of its own before it: write the lengths out`);
    }
    const short = fraction(1, 2 ** signs.length), long = fraction(2).minus(short);
    const [mine, next] = signs[0] === ">" ? [long, short] : [short, long], more = this.lastLength.times(mine.minus(1));
    this.broken = next;
    for (const entry of Object.values(this.last)) entry.duration = entry.duration.plus(more);
    const wasLast = same(this.barEnd, this.now);
    this.now = this.now.plus(more);
    this.barEnd = wasLast ? this.now : later(this.barEnd, this.now);
    this.lastLength = fraction(0);
  }
  startTuplet(count, rest) {
    const compound = ["6", "9", "12"].includes(partition(this.metre, "/")[0]);
    const usual = { 2: 3, 3: 2, 4: 3, 6: 2, 8: 3 }[count] ?? (compound ? 3 : 2);
    const [, during = "", notes = ""] = rest.split(":");
    if (rest.length > 8 || !count || [during, notes].some((n) => n && !Number(n))) throw this.fault(`the tuplet ${count}${rest}: correct it`);
    this.tuplet = fraction(Number(during || usual), count);
    this.tupletLeft = Number(notes || count);
  }
  restBars(count) {
    const many = Number(count || 1);
    if (!+this.nominal || !same(this.now, this.barStart) || count.length > 6 || many > LONGEST) {
      throw this.fault(`a rest of ${count || 1} whole bars, which needs a metre and a bar of its own`);
    }
    for (let number = 0; number < many; number++) {
      if (number) this.close();
      if (this.bars.length > LONGEST) throw this.fault(`more than ${thousands(LONGEST)} bars before it, too many for a tune: cut it`);
      this.ties = {};
      this.last = {};
      this.move(this.nominal);
    }
  }
  overlay(sign) {
    if (sign !== "&" || same(this.now, this.barStart)) {
      throw this.fault("an overlay of several bars: write the second voice as one of its own (V:)");
    }
    Object.assign(this, { now: this.barStart, ties: {}, last: {}, accidentals: {}, lastLength: fraction(0) });
  }
  close(section = false) {
    if (this.barEnd > this.barStart) {
      const length = this.barEnd.minus(this.barStart), { nominal, metre } = this;
      this.bars.push({ number: String(this.bars.length + 1), start: this.barStart, length, nominal, metre, section: this.section });
      this.now = this.barStart = this.barEnd;
      this.section = false;
      this.sources.push(this.tokens);
      this.tokens = [];
    }
    this.section ||= section;
    this.accidentals = {};
    this.lastLength = fraction(0);
  }
  part(named) {
    const name = this.percussion ? `${this.name} (percussion)` : this.name, { bars, signs } = this;
    // An ending goes up to the next bar line that is no plain one.
    const ends = bars.flatMap((_, i) => (bars[i + 1]?.section ?? true ? [i] : []));
    signs.stops = Object.keys(signs.endings).flatMap((place) => ends.find((end) => end >= place) ?? []);
    return { name: named ? name : "", notes: this.notes, bars, percussion: this.percussion, transpose: 0, key: this.startKey, signs };
  }
  /** Note chord symbols, repeats and endings, behind what closed the bar; whether a D.C. or D.S. jumps back, and whether there
   * is what cannot be saved: marks, and chords of which one note is kept. */
  sign([whole], { bar = "", endings, ending = "", chord }) {
    const { signs } = this, place = this.bars.length, numbers = (endings ?? ending).replace(/[^\d,-]/g, "").replace(/^[,-]+|[,-]+$/g, "");
    if (bar.startsWith(":") && place) signs.closes.push(place - 1);
    if (bar.endsWith(":")) signs.opens.push(place);
    if (numbers) signs.endings[place] = numbers;
    if (ABC_CHORD.test(whole)) signs.chords.push([this.now, whole.replace(/^"|"$/g, "")]);
    signs.jumps ||= '!+"'.includes(whole[0]) && JUMP.test(whole);
    signs.marks ||= Boolean(chord) || ABC_MARK.test(whole);
  }
  /** A line w: below a line of notes: a syllable a note. */
  sing(words) {
    const { lyrics } = this.signs, own = [], bars = [...this.line.values()];
    this.verse += 1;
    abcSyllables(words, bars.map((notes) => notes.length)).forEach((slots, bar) => slots.forEach((slot, place) => {
      const [start, tied] = bars[bar][place], before = own[own.length - 1];
      if (!"*_-".includes(slot)) own.push([start, this.verse, slot.replace(/\\-/g, "\u2011").replace(/~/g, " ")]);
      else if (slot === "_" && !tied && before && !/[_-]$/.test(before[2])) before[2] += "_";
    }));
    lyrics.push(...own);
  }
}

/** A tune while it is read: what its header says for all voices, and the voices. */
class AbcTune {
  constructor() {
    Object.assign(this, { base: new AbcVoice(), defined: new Map(), voices: new Map(), current: null, inHeader: true });
  }
  voice(wanted = "") {
    if (wanted || this.current === null) {
      const name = wanted || ([...this.defined.keys()][0] ?? "1");
      if (!this.voices.has(name)) {
        const made = new AbcVoice({ ...this.base, name, unit: this.base.unit ?? usualUnit(this.base.metre) });
        this.voices.set(name, made);
        this.settings(made, this.defined.get(name) ?? "");
      }
      this.current = this.voices.get(name);
    }
    return this.current;
  }
  field(letter, value) {
    const voice = this.current ?? this.base;
    if (letter === "M") {
      [voice.metre, voice.nominal] = abcMetre(value);
    } else if (letter === "L") {
      const found = /^(\d{1,3})\s*(?:\/\s*(\d{1,4}))?/.exec(value);
      if (!found || !Number(found[1]) || !Number(found[2] ?? 1)) throw voice.fault(`the unit L:${value.slice(0, 20)}: write one such as L:1/8`);
      voice.unit = fraction(4 * found[1], Number(found[2] ?? 1));
    } else if (letter === "K") {
      this.inHeader = false;
      this.key(voice, value);
    } else if (letter === "V") {
      const [name, settings] = partition(value, " ");
      if (!name) return;
      if (this.inHeader) this.defined.set(name, settings);
      else this.settings(this.voice(name), settings);
    } else if (letter === "w") {
      voice.sing(value);
    } else if (letter === "P" && !this.inHeader) {
      voice.section = true;
    } else if (letter === "I" && value.startsWith("propagate-accidentals")) {
      voice.propagate = value.split(/\s+/).pop();
    }
  }
  key(voice, value) {
    this.settings(voice, value);
    const before = voice.key;
    let written = value.trim() === "none" ? "" : value.replace(ABC_SETTING, "").trim(), tonic = "", mode = "";
    const found = ABC_KEY.exec(written);
    if (written === "HP" || written === "Hp") { // bagpipes: HP writes no sharps, Hp means F and C sharp
      voice.key = written === "Hp" ? { F: 1, C: 1 } : {};
      written = "";
    } else if (found) {
      [tonic, mode] = [found[1] + found[2], ABC_MODES[found[3].slice(0, 3).toLowerCase()]];
      const fifths = FIFTHS.indexOf(found[1]) - 1 + 7 * { "": 0, "#": 1, b: -1 }[found[2]] - MODES[mode];
      voice.key = signatureOf(fifths);
      written = written.slice(found[0].length).trim();
    } else if (value.trim() === "" || value.trim() === "none") {
      voice.key = {};
    }
    const explicit = /^exp[a-z]*/i.exec(written);
    if (explicit) {
      voice.key = {};
      written = written.slice(explicit[0].length);
    }
    for (const [, accidental, step] of written.matchAll(/([\^_=]+)([A-Ga-g])/g)) {
      voice.key = { ...voice.key, [step.toUpperCase()]: ALTER[accidental] ?? 0 };
    }
    if (written.replace(/([\^_=]+)([A-Ga-g])/g, "").trim()) {
      throw voice.fault(`the key ${quoted(value.slice(0, 30))}: write one such as G, Am, D mix or D phr ^f`);
    }
    const given = new Key(voice.key, tonic, mode), differs = [...STEPS].some((step) => given.alters[step] !== (before[step] ?? 0));
    if (!voice.notes.length) voice.startKey = Object.keys(voice.key).length ? given : null;
    else if (differs) voice.signs.keys.push([voice.now, String(given)]);
  }
  settings(voice, value) {
    let octaves = 0, moved = 0, asked = false;
    for (const [, name = "", quotedSetting = "", clef = "", withEight = ""] of value.matchAll(ABC_SETTING)) {
      const setting = quotedSetting.replace(/^"+|"+$/g, "");
      if ((name === "octave" || name === "transpose") && /^[+-]?\d{1,2}$/.test(setting)) {
        octaves += name === "octave" ? 12 * setting : 0;
        moved += name === "transpose" ? Number(setting) : 0;
        asked = true;
      }
      const eight = name === "clef" || clef ? withEight || (/[+-]8/.exec(setting) ?? [""])[0] : "";
      if (eight) {
        octaves += eight[0] === "+" ? 12 : -12;
        asked = true;
      }
      if ((name === "name" || name === "nm") && setting) voice.name = setting;
      voice.percussion ||= clef === "perc" || (name === "clef" && setting === "perc");
    }
    if (asked) voice.transpose = octaves + moved;
  }
  /** One line of notes, which starts `at` that character of the tune. */
  music(line, at) {
    if (this.inHeader) return;
    let voice = this.voice(), position = 0;
    Object.assign(voice, { line: new Map(), verse: 0 });
    while (position < line.length) {
      ABC_TOKEN.lastIndex = position;
      const match = ABC_TOKEN.exec(line);
      if (!match) throw voice.fault(`${quoted(line.slice(position, position + 12))}, which is no ABC: correct it`);
      const { now, unit, key, transpose } = voice, text = match[0], start = at + position;
      voice.tokens.push({ text, kind: abcKind(match), line: at, start, end: start + text.length, now, unit, key, transpose });
      position = ABC_TOKEN.lastIndex;
      if (match.groups.field) {
        this.field(match.groups.field, match.groups.value.trim());
        voice = this.voice();
      } else {
        abcToken(voice, match.groups);
        voice.sign(match, match.groups);
      }
    }
  }
}

/** What a token is: its first group, "words" (a chord symbol, an annotation), "" for signs and space. */
const abcKind = ({ 0: text, groups }) => (text.startsWith('"') ? "words" : Object.keys(groups).find((kind) => groups[kind] !== undefined) ?? "");

function abcToken(voice, match) {
  if (match.note) {
    const length = voice.length(match.length);
    voice.add([[...voice.pitch(match), length, false]], length);
  } else if (match.bar) {
    voice.close(match.bar !== "|" || Boolean(match.endings));
  } else if (match.rest) {
    const full = +voice.nominal && voice.now.minus(voice.barStart) >= voice.nominal;
    if (match.rest === "z" || !full) voice.add([], voice.length(match.rest_length));
  } else if (match.tie) {
    voice.ties = { ...voice.last };
  } else if (match.broken) {
    voice.breakRhythm(match.broken);
  } else if (match.tuplet) {
    voice.startTuplet(Number(match.tuplet), match.tuplet_rest);
  } else if (match.chord) {
    voice.add(...abcChord(voice, match.chord, voice.length(match.chord_length)));
  } else if (match.ending || match.named) {
    voice.close(true);
  } else if (match.bars) {
    voice.restBars(match.count);
  } else if (match.overlay) {
    voice.overlay(match.overlay);
  }
}

function abcChord(voice, inside, factor) {
  const notes = [];
  for (let position = 0; position < inside.length; position = ABC_IN_CHORD.lastIndex) {
    ABC_IN_CHORD.lastIndex = position;
    const match = ABC_IN_CHORD.exec(inside);
    if (!match) throw voice.fault(`the chord [${inside.slice(0, 20)}], which is no ABC: correct it`);
    const { note, length, tie } = match.groups;
    if (note) notes.push([...voice.pitch(match.groups), factor.times(voice.length(length)), Boolean(tie)]);
  }
  if (!notes.length) throw voice.fault(`the chord [${inside.slice(0, 20)}], which has no note: correct it`);
  return [notes, notes[0][2]];
}

function abcMetre(value) {
  if (value === "C" || value === "C|") return [value, fraction(4)];
  const found = ABC_METRE.exec(value);
  if (!found || !Number(found[2])) return [value.slice(0, 20) || "none", fraction(0)];
  return [value, fraction(4 * sum(found[1].split("+").map(Number)), Number(found[2]))];
}
function usualUnit(metre) {
  const length = abcMetre(metre)[1];
  return 0 < length && length < 3 ? fraction(1, 4) : fraction(1, 2);
}
