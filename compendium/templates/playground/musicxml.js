"use strict";
// MusicXML, compressed or not, to scores, as arvae/music/musicxml.py reads it: every staff a part, at the pitch it sounds.

const { types: XML_TYPES, chords: KINDS } = data.grammar;
const XML_MARKS = "grace, notations > :not(tied, tuplet), direction-type > :not(metronome)"; // not in what is saved
const FINE = 24, XML_LARGEST = 12 << 20;

/** A file's text, unpacked, in the encoding by which it can be parsed. */
async function musicXmlText(bytes) {
  let content = bytes;
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) content = await unzipScore(bytes);
  const start = (content[0] << 8) | content[1], label = start === 0xfffe ? "utf-16le" : start === 0xfeff ? "utf-16be" : null;
  const declared = /^<\?xml[^>]*encoding=["']([\w.-]+)/.exec(latin(content.subarray(0, 200)).replace(/^[\xef\xbb\xbf\0\s]*/, ""))?.[1];
  for (const encoding of [label, label ? null : declared ?? "utf-8", "latin1"].filter(Boolean)) {
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(content).replace(/^[\0\s]+|[\0\s]+$/g, "");
      xmlRoot(text);
      return text;
    } catch { /* another encoding */ }
  }
  throw new TuneError(BROKEN, "this is no MusicXML (it is not well-formed): export it again");
}
function xmlRoot(text) {
  const parsed = new DOMParser().parseFromString(text, "text/xml");
  if (parsed.querySelector("parsererror")) throw new TuneError(BROKEN, "this is no MusicXML (it is not well-formed): export it again");
  return parsed.documentElement;
}

const children = (node, path) => path.split("/").reduce((nodes, tag) =>
  nodes.flatMap((one) => [...one.children].filter((child) => child.localName === tag)), [node]);
const child = (node, path) => children(node, path)[0] ?? null;
const textOf = (node, path, otherwise = null) => (child(node, path) ? child(node, path).textContent : otherwise);

/** The staves that hold notes: {node: their <part>, staff, many: of how many in it, part}. */
function musicXmlParts(root) {
  const parts = partwise(root), names = new Map([...root.getElementsByTagNameNS("*", "score-part")].map((e) => [e.getAttribute("id"), textOf(e, "part-name")]));
  const measures = parts.map((part) => xmlMeasures(part));
  const count = Math.min(...measures.map((bars) => bars.length));
  const nodes = children(parts[0], "measure");
  for (let m = 0; m < Math.min(count, nodes.length); m++) {
    const bars = measures.map((all) => all[m]), longest = bars.map((bar) => bar.length).reduce(later);
    const length = +longest ? longest : nodes[m].getAttribute("implicit") === "yes" ? fraction(0) : bars[0].nominal;
    for (const bar of bars) bar.length = later(bar.length, length);
  }
  return parts.flatMap((node, i) => {
    const own = staves((names.get(node.getAttribute("id")) ?? "").trim() || `part ${i + 1}`, measures[i]);
    return own.map(([staff, part]) => ({ node, staff, many: own.length, part }));
  });
}

function musicXmlScore(root) {
  const parts = musicXmlParts(root).map(({ part }) => part);
  const title = textOf(root, "work/work-title") || textOf(root, "movement-title") || "";
  const tempo = [...root.getElementsByTagNameNS("*", "sound")].map((sound) => sound.getAttribute("tempo")).find(Boolean) ?? "";
  const composer = children(root, "identification/creator").find((one) => one.getAttribute("type") === "composer")?.textContent ?? "";
  return { title: title.trim(), composer: composer.trim(), parts, tempo: /^\d{1,9}(\.\d{0,9})?$/.test(tempo) ? Number(tempo) || null : null };
}

function partwise(root) {
  if (root.localName === "score-timewise") {
    const parts = new Map();
    for (const measure of children(root, "measure")) {
      for (const piece of children(measure, "part")) {
        const id = piece.getAttribute("id") ?? "", part = parts.get(id) ?? piece.cloneNode(false), bar = measure.cloneNode(false);
        bar.append(...[...piece.children].map((one) => one.cloneNode(true)));
        part.append(bar);
        parts.set(id, part);
      }
    }
    return [...parts.values()];
  }
  const parts = children(root, "part");
  if (root.localName !== "score-partwise" || !parts.length) {
    throw new TuneError(BROKEN, `this XML is <${root.localName}>, needed is a <score-partwise> with a part`);
  }
  return parts;
}

function xmlMeasures(part) {
  const nodes = children(part, "measure"), bars = [];
  let key = Key.of(0), divisions = fraction(1), metre = [fraction(0), ""], transpose = {}, open = "", section = false;
  nodes.forEach((node, place) => {
    const bar = { number: node.getAttribute("number") || String(place + 1), nominal: metre[0], metre: metre[1], transpose,
      notes: [], length: fraction(0), unpitched: new Set(), section, closes: false,
      forward: false, repeats: false, endings: "", chords: [], lyrics: [], keys: [], jumps: false, marks: false };
    let now = fraction(0), last = fraction(0);
    try {
      for (const item of node.children) {
        const tag = item.localName, has = (name) => child(item, name) !== null;
        if (tag === "attributes") {
          const given = xmlNumber(textOf(item, "divisions"));
          if (+given) divisions = given;
          metre = xmlMetre(item, metre);
          [bar.nominal, bar.metre] = metre;
          bar.transpose = transpose = xmlTranspose(item, transpose);
          const sign = xmlKey(item), changed = sign && [...STEPS].some((step) => sign.alters[step] !== key.alters[step]);
          bar.key ??= sign;
          if (changed && (place || +now)) bar.keys.push([now, String(sign)]);
          key = sign ?? key;
        } else if (tag === "backup" || tag === "forward") {
          const step = xmlNumber(textOf(item, "duration")).by(divisions);
          now = later(tidy(tag === "forward" ? now.plus(step) : now.minus(step)), fraction(0));
        } else if (tag === "note" && !has("grace")) {
          const duration = xmlDuration(item, divisions), start = has("chord") ? last : now;
          xmlNote(item, bar, start, duration);
          last = start;
          now = later(now, start.plus(duration));
        } else if (tag === "harmony") {
          bar.chords.push(...xmlChord(item, now, divisions));
        } else if (tag === "direction" || tag === "sound") {
          bar.jumps ||= xmlJumps(item);
        } else if (tag === "barline") {
          open = xmlBarline(item, bar, open);
        }
        bar.marks ||= item.querySelector(XML_MARKS) !== null;
        if (tag === "note" || (tag === "forward" && place + 1 < nodes.length)) bar.length = later(bar.length, now);
      }
    } catch (error) {
      if (error instanceof TuneError) throw error;
      throw new TuneError(BROKEN, `bar ${bar.number} cannot be read (${error.message}): export it again`);
    }
    bar.endings ||= open;
    section = bar.closes;
    bars.push(bar);
  });
  return bars;
}

function xmlNote(item, bar, start, duration) {
  const staff = textOf(item, "staff", "1").trim(), colour = item.getAttribute("color");
  if (child(item, "unpitched")) bar.unpitched.add(staff);
  if (child(item, "rest") && colour in MARKS) bar.notes.push({ staff, start, duration, pitch: MARKS[colour], tied: false });
  const pitch = child(item, "pitch");
  if (!pitch || child(item, "cue") || !+duration) return;
  const alter = xmlNumber(textOf(pitch, "alter", "0"));
  if (alter.under !== 1) throw new Error(`a note altered by ${+alter} semitones lies between two keys of the piano`);
  const step = SEMITONES[textOf(pitch, "step", "").trim().toUpperCase()], octave = Math.trunc(xmlNumber(textOf(pitch, "octave")));
  if (step === undefined) throw new Error(quoted(textOf(pitch, "step", "").trim().toUpperCase()));
  const number = 12 * (octave + 1) + step + Number(alter) + (bar.transpose[staff] ?? bar.transpose[""] ?? 0);
  if (number < 0 || number > 127) throw new Error(`a note lies ${number} semitones above MIDI's lowest, MIDI has 0 to 127`);
  children(item, "lyric").forEach((lyric, i) => {
    const text = [...lyric.children].map((one) => (["text", "elision"].includes(one.localName) ? one.textContent || " " : "")).join("").trim();
    const goesOn = ["begin", "middle"].includes(textOf(lyric, "syllabic")), held = !goesOn && child(lyric, "extend");
    const verse = /^\d{1,2}$/.test(lyric.getAttribute("number") ?? "") ? Number(lyric.getAttribute("number")) : i + 1;
    if (text) bar.lyrics.push([staff, start, verse, text + (goesOn ? "-" : held ? "_" : "")]);
  });
  const ties = [...children(item, "tie"), ...children(item, "notations/tied")].map((tie) => tie.getAttribute("type"));
  bar.notes.push({ staff, start, duration, pitch: number, tied: ties.includes("stop") || ties.includes("continue") });
}

/** A <harmony> as [when in the bar, its symbol] ("Bbm7", "D/F#"), in a list; none where it has no root. */
function xmlChord(item, now, divisions) {
  try {
    const [root, bass] = ["root", "bass"].map((at) => {
      const alter = Math.trunc(xmlNumber(textOf(item, `${at}/${at}-alter`)));
      return textOf(item, `${at}/${at}-step`, "").trim() + (alter < 0 ? "b" : "#").repeat(Math.abs(alter));
    });
    const kind = child(item, "kind"), time = now.plus(xmlNumber(textOf(item, "offset")).by(divisions));
    const name = root + (kind?.getAttribute("text") ?? KINDS[kind?.textContent.trim() ?? ""] ?? "") + (bass ? `/${bass}` : "");
    return /^[A-G]/.test(name) ? [[time, name]] : [];
  } catch {
    return [];
  }
}

/** Whether a <direction> or <sound> says to go back to the start or the segno. */
function xmlJumps(item) {
  const all = [item, ...item.querySelectorAll("*")], sounds = all.filter((one) => one.localName === "sound");
  return sounds.some((one) => one.getAttribute("dacapo") === "yes" || one.getAttribute("dalsegno"))
    || all.some((one) => one.localName === "words" && JUMP.test(one.textContent));
}

function xmlNumber(text) {
  const given = text ?? "";
  if (!/^\s*([+-]?\d{1,9}(\.\d{0,9})?)?\s*$/.test(given)) throw new Error(`${quoted(given.slice(0, 20))} is no number`);
  const [whole, part = ""] = given.trim().split(".");
  return whole || part ? fraction(Number(whole + part), 10 ** part.length) : fraction(0);
}

function xmlDuration(item, divisions) {
  const duration = xmlNumber(textOf(item, "duration")).by(divisions), kind = textOf(item, "type", "").trim();
  if (duration < 0) throw new Error(`a duration of ${duration} quarter notes`);
  if (!(kind in XML_TYPES)) return duration;
  const dots = Math.min(children(item, "dot").length, 4);
  const ratio = xmlNumber(textOf(item, "time-modification/normal-notes", "1")).by(xmlNumber(textOf(item, "time-modification/actual-notes", "1")));
  const exact = fraction(...XML_TYPES[kind]).times(fraction(2).minus(fraction(1, 2 ** dots))).times(ratio);
  const fine = divisions >= FINE || child(item, "time-modification");
  const rounded = Math.abs(duration.minus(exact)) * divisions < (fine ? 1 : 1 / 2);
  return rounded || !child(item, "duration") ? exact : duration;
}

function tidy(time) {
  const near = fraction(Math.round(time * FINE), FINE);
  return Math.abs(near - time) < 1 / 128 ? near : time;
}

function xmlMetre(item, before) {
  const time = child(item, "time");
  if (!time) return before;
  const beats = children(time, "beats").map((one) => one.textContent), units = children(time, "beat-type").map((one) => one.textContent);
  const total = (text) => text.split("+").map(xmlNumber).reduce((a, b) => a.plus(b));
  const length = beats.reduce((all, text, i) => all.plus(total(text).times(4).by(xmlNumber(units[i]))), fraction(0));
  return [length, beats.map((text, i) => `${text.trim()}/${units[i].trim()}`).join(" + ")];
}

function xmlTranspose(item, before) {
  const own = children(item, "transpose").map((node) => [node.getAttribute("number") ?? "",
    Math.trunc(xmlNumber(textOf(node, "chromatic")).plus(xmlNumber(textOf(node, "octave-change")).times(12)))]);
  return { ...before, ...Object.fromEntries(own) };
}

/** The key signature by its fifths, or step by step; null where there is none that can be read. */
function xmlKey(item) {
  const given = (textOf(item, "key/mode") ?? "").trim().toLowerCase(), mode = { ionian: "major", aeolian: "minor" }[given] ?? given;
  const whole = (text) => (/^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : NaN), fifths = textOf(item, "key/fifths");
  if (fifths !== null) return Math.abs(whole(fifths)) <= 7 ? Key.of(whole(fifths), mode in MODES ? mode : "") : null;
  const [steps, alters] = ["key/key-step", "key/key-alter"].map((path) => children(item, path).map((one) => one.textContent.trim()));
  if (!steps.length || steps.length !== alters.length || alters.some((text) => Number.isNaN(whole(text)))) return null;
  return new Key(Object.fromEntries(steps.map((step, i) => [step, whole(alters[i])])));
}

/** Note what a bar line says of its bar; returns the endings that hold for the next bar. */
function xmlBarline(item, bar, open) {
  const repeat = child(item, "repeat"), ending = child(item, "ending"), left = item.getAttribute("location") === "left";
  bar.closes ||= !left && (repeat !== null || textOf(item, "bar-style", "").startsWith("light-"));
  bar.section ||= left && (repeat !== null || ending !== null);
  if (repeat?.getAttribute("direction") === "forward") bar.forward = true;
  else if (repeat) bar.repeats = true;
  if (!ending) return open;
  if (ending.getAttribute("type") !== "start") {
    bar.endings ||= open;
    return "";
  }
  const numbers = [...(ending.getAttribute("number") ?? "").matchAll(/\d{1,3}/g)].map(Number);
  return (bar.endings = [...new Set(numbers)].sort((a, b) => a - b).join());
}

function staves(name, bars) {
  const starts = [fraction(0)];
  for (const bar of bars) starts.push(starts[starts.length - 1].plus(bar.length));
  const known = [...new Set(bars.flatMap((bar) => [...bar.unpitched, ...bar.notes.map((note) => note.staff)]))].sort();
  return (known.length ? known : [""]).map((staff) => {
    const notes = [], marks = [];
    bars.forEach((bar, i) => {
      for (const own of bar.notes.filter((note) => note.staff === staff).sort((a, b) => a.start - b.start)) {
        const note = { start: starts[i].plus(own.start), duration: own.duration, pitch: own.pitch };
        if (own.pitch < 0) marks.push(note);
        else addTied(notes, note, own.tied);
      }
    });
    const percussion = bars.some((bar) => bar.unpitched.has(staff)), full = known.length > 1 ? `${name}, staff ${staff}` : name;
    return [staff, {
      name: percussion ? `${full} (percussion)` : full, notes, marks, percussion,
      bars: bars.map(({ number, length, nominal, metre, section }, i) => ({ number, start: starts[i], length, nominal, metre, section })),
      key: bars[0]?.key ?? null, signs: xmlSigns(bars, starts, staff),
      transpose: bars.length ? bars[0].transpose[staff] ?? bars[0].transpose[""] ?? 0 : 0,
    }];
  });
}

function xmlSigns(bars, starts, staff) {
  const places = (wanted) => bars.flatMap((bar, i) => (wanted(bar) ? [i] : []));
  const begin = bars.flatMap(({ endings }, i) => (endings && endings !== bars[i - 1]?.endings ? [[i, endings]] : []));
  return {
    chords: bars.flatMap((bar, i) => bar.chords.map(([at, name]) => [starts[i].plus(at), name])),
    lyrics: bars.flatMap((bar, i) => bar.lyrics.flatMap(([own, at, ...what]) => (own === staff ? [[starts[i].plus(at), ...what]] : []))),
    keys: bars.flatMap((bar, i) => bar.keys.map(([at, name]) => [starts[i].plus(at), name])),
    opens: places((bar) => bar.forward), closes: places((bar) => bar.repeats), endings: Object.fromEntries(begin),
    jumps: bars.some((bar) => bar.jumps), marks: bars.some((bar) => bar.marks),
    stops: bars.flatMap(({ endings }, i) => (endings && endings !== bars[i + 1]?.endings ? [i] : [])),
  };
}

function addTied(notes, note, tied) {
  for (let place = notes.length - 1; tied && place > Math.max(notes.length - 20, -1); place--) {
    const before = notes[place];
    if (before.pitch === note.pitch && same(before.start.plus(before.duration), note.start)) {
      notes[place] = { ...before, duration: before.duration.plus(note.duration) };
      return;
    }
  }
  notes.push(note);
}

/** The score inside a .mxl archive: where its container says, else the first XML in it. */
async function unzipScore(bytes) {
  const fault = (found) => new TuneError(BROKEN, `this is no MusicXML (${found}): export it again`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), files = new Map();
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw fault("File is not a zip file");
  const count = view.getUint16(end + 10, true);
  try {
    for (let i = 0, at = view.getUint32(end + 16, true); i < count; i++) {
      const [name, extra, comment] = [28, 30, 32].map((place) => view.getUint16(at + place, true));
      files.set(new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name)),
        { method: view.getUint16(at + 10, true), size: view.getUint32(at + 20, true), from: view.getUint32(at + 42, true) });
      at += 46 + name + extra + comment;
    }
    const member = async (name) => {
      const { method, size, from } = files.get(name);
      const start = from + 30 + view.getUint16(from + 26, true) + view.getUint16(from + 28, true), packed = bytes.subarray(start, start + size);
      const stream = method ? new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")) : new Blob([packed]).stream();
      const parts = [];
      let total = 0;
      for (const reader = stream.getReader(); ;) {
        const { done, value } = await reader.read();
        if (done) break;
        parts.push(value);
        total += value.length;
        if (total > XML_LARGEST) throw new TuneError(BROKEN, `${name} unpacks to more than ${XML_LARGEST >> 20} MB: that is no score`);
      }
      return new Uint8Array(await new Blob(parts).arrayBuffer());
    };
    const named = [];
    if (files.has("META-INF/container.xml")) {
      const container = new DOMParser().parseFromString(new TextDecoder().decode(await member("META-INF/container.xml")), "text/xml");
      named.push(...[...container.getElementsByTagNameNS("*", "rootfile")].map((n) => n.getAttribute("full-path")).filter((n) => files.has(n)));
    }
    const scores = [...files.keys()].filter((name) => /^(?!META-INF|__MACOSX).*\.(musicxml|xml)$/i.test(name));
    if (!named.length && !scores.length) throw new TuneError(BROKEN, "this archive holds no MusicXML: export it again");
    return await member([...named, ...scores][0]);
  } catch (error) {
    throw error instanceof TuneError ? error : fault(error.message);
  }
}
