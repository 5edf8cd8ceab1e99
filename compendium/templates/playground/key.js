"use strict";
// The key of a tune: as its file gives it, or estimated; its scale, and how notes are spelled. As in arvae/music/keys.py.

const { steps: STEPS, fifths: FIFTHS, semitones: SEMITONES, modes: MODES, profiles: PROFILES } = data.grammar;
const SIGNS = { "-2": "♭♭", "-1": "♭", 0: "", 1: "♯", 2: "♯♯" };

/** By how many semitones a signature of so many sharps (flats: negative) alters each step. */
const signatureOf = (fifths) => Object.fromEntries([...FIFTHS].map((step, place) => [step, Math.floor((fifths + 6 - place) / 7)]));

class Key {
  constructor(signature, tonic = "", mode = "", estimated = false) {
    this.alters = Object.fromEntries([...STEPS].map((step) => [step, signature[step] ?? 0]));
    Object.assign(this, { tonic, mode, estimated, fifths: Math.max(-7, Math.min(7, sum(Object.values(this.alters)))) });
  }
  static of(fifths, mode = "", estimated = false) {
    if (!mode) return new Key(signatureOf(fifths), "", "", estimated);
    const place = fifths + 1 + MODES[mode], sharps = Math.floor(place / 7);
    return new Key(signatureOf(fifths), FIFTHS[place - 7 * sharps] + (sharps < 0 ? "b" : "#").repeat(Math.abs(sharps)), mode, estimated);
  }
  toString() {
    const count = Math.abs(this.fifths), sign = this.fifths > 0 ? "sharp" : "flat", usual = signatureOf(this.fifths);
    const name = this.tonic ? `${this.tonic} ${this.mode}` : count ? `${count} ${sign}${count > 1 ? "s" : ""}` : "no sharps or flats";
    const changed = [...STEPS].filter((step) => this.alters[step] !== usual[step]).map((step) => step + SIGNS[this.alters[step]]);
    return name.replace("#", "♯").replace(/^([A-G])b /, "$1♭ ") + (changed.length ? ` with ${changed.join(", ")}` : "");
  }
  /** Its pitch classes: the seven of the signature and, in minor, the raised seventh where the tune has it. */
  scale(pitches = []) {
    const own = new Set([...STEPS].map((step) => (SEMITONES[step] + this.alters[step] + 12) % 12));
    if (this.mode === "minor") {
      const count = (sign) => this.tonic.slice(1).split(sign).length - 1;
      const leading = (SEMITONES[this.tonic[0]] + count("#") - count("b") + 11) % 12;
      if (pitches.some((pitch) => pitch % 12 === leading)) own.add(leading);
    }
    return own;
  }
  /** A MIDI pitch as {step, alter, octave}: as the signature has it, else by what is near to it in fifths. */
  spell(pitch) {
    const choices = [...STEPS].flatMap((step) => {
      const usual = this.alters[step], alter = ((((pitch - SEMITONES[step] + 6) % 12) + 12) % 12) - 6;
      if (Math.abs(alter) > 1 && alter !== usual) return [];
      return [{ step, alter, far: (alter === usual ? 0 : 100) + Math.abs(FIFTHS.indexOf(step) - 1 + 7 * alter - this.fifths - 2.5) }];
    });
    const { step, alter } = choices.sort((a, b) => a.far - b.far || (a.step < b.step ? -1 : 1))[0];
    return { step, alter, octave: Math.floor((pitch - alter) / 12) - 1 };
  }
  /** Moved by semitones, in the spelling with the fewest signs. */
  moved(semitones) {
    const fifths = ((((this.fifths + 7 * semitones + 5) % 12) + 12) % 12) - 5;
    return semitones % 12 ? Key.of(fifths, this.mode, this.estimated) : this;
  }
}

/** The major or minor key whose profile goes best with how long each pitch class sounds; C major where nothing does. */
function estimateKey(measures) {
  const weights = Array(12).fill(0);
  for (const { pitch, length } of toNotes(measures)) weights[pitch % 12] += length;
  if (Math.max(...weights) === Math.min(...weights)) return Key.of(0, "major", true);
  const centred = (values) => values.map((value) => value - sum(values) / 12);
  const heard = centred(weights);
  let best = null;
  for (const minor of [0, 1]) {
    const profile = centred(PROFILES[minor]), size = Math.sqrt(sum(profile.map((v) => v * v)) * sum(heard.map((v) => v * v)));
    for (let tonic = 0; tonic < 12; tonic++) {
      const fit = Math.round((1e9 * sum(heard.map((value, pc) => value * profile[(pc - tonic + 12) % 12]))) / size);
      if (best === null || fit > best.fit) best = { fit, minor, tonic };
    }
  }
  return Key.of(((7 * (best.tonic + 3 * best.minor) + 5) % 12) - 5, best.minor ? "minor" : "major", true);
}
