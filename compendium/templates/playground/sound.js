"use strict";
// Plays a melody on a struck string, made of sine waves once a pitch. What is to be heard is asked for measure by measure, so that a control
// turned while it plays is heard from the next measure on.

class Player {
  /** @param notesOf measure number -> notes {pitch, start, length} with starts within the measure, in twelfths. */
  constructor(notesOf, measures, onStop) {
    Object.assign(this, { notesOf, measures, onStop, beatsPerMinute: 100, loop: true });
    this.context = null;
  }

  get playing() {
    return this.timer !== undefined;
  }

  start(measure = 0) {
    this.context ??= new AudioContext();
    this.context.resume();
    this.output = new GainNode(this.context, { gain: 0.7 });
    const room = new ConvolverNode(this.context, { buffer: roomOf(this.context) }), echo = new GainNode(this.context, { gain: 0.16 });
    this.output.connect(this.context.destination);
    this.output.connect(room).connect(echo).connect(this.context.destination);
    this.next = measure;
    this.begins = this.context.currentTime + 0.08; // of measure `next`
    this.begun = [];
    this.timer = setInterval(() => this.schedule(), 60);
    this.schedule();
  }

  stop() {
    if (!this.playing) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.output.gain.setTargetAtTime(0, this.context.currentTime, 0.02);
    this.onStop();
  }

  schedule() {
    const twelfth = 5 / this.beatsPerMinute; // seconds
    while (this.begins < this.context.currentTime + 0.2) {
      if (this.next >= this.measures) {
        if (!this.loop) {
          if (this.context.currentTime > this.begins) this.stop();
          return;
        }
        this.next = 0;
      }
      for (const note of this.notesOf(this.next)) {
        this.sound(note.pitch, this.begins + note.start * twelfth, note.length * twelfth);
      }
      this.begun.push({ at: this.begins, measure: this.next, twelfth });
      this.begins += MEASURE * twelfth;
      this.next += 1;
    }
  }

  sound(pitch, at, seconds) {
    const source = new AudioBufferSourceNode(this.context, { buffer: stringOf(this.context, pitch) });
    const damper = new GainNode(this.context, { gain: 1 }), end = at + Math.max(seconds * 0.97, 0.06);
    damper.gain.setValueAtTime(1, end);
    damper.gain.setTargetAtTime(0, end, 0.06); // let go
    source.connect(damper).connect(this.output);
    source.start(at);
    source.stop(end + 0.5);
  }

  /** Where the music is now, in twelfths from the start of the melody; null when nothing is heard. */
  now() {
    if (!this.playing) return null;
    const time = this.context.currentTime;
    while (this.begun.length > 1 && this.begun[1].at <= time) this.begun.shift();
    const { at, measure, twelfth } = this.begun[0] ?? {};
    return at === undefined || at > time ? null : measure * MEASURE + (time - at) / twelfth;
  }
}

const strings = new Map(); // pitch -> AudioBuffer
/** A string struck near one end: overtones slightly sharp, the high ones softer and sooner gone; a fast and a slow decay. */
function stringOf(context, pitch) {
  if (strings.has(pitch)) return strings.get(pitch);
  const rate = context.sampleRate, size = Math.round(3 * rate), buffer = context.createBuffer(1, size, rate);
  const samples = buffer.getChannelData(0), base = 440 * 2 ** ((pitch - 69) / 12);
  for (let k = 1; k <= 14; k++) {
    const frequency = base * k * Math.sqrt(1 + 0.00035 * k * k);
    if (frequency > Math.min(9000, rate / 2.2)) break;
    const loud = (Math.abs(Math.sin((Math.PI * k) / 7.3)) * Math.exp(-0.23 * k)) / k ** 0.35;
    const turn = (2 * Math.PI * frequency) / rate, slow = (0.55 + 0.28 * k + pitch / 160) / rate;
    for (let i = 0; i < size; i++) samples[i] += loud * Math.sin(turn * i) * (0.6 * Math.exp(-5 * slow * i) + 0.4 * Math.exp(-slow * i));
  }
  const attack = 0.004 * rate, loudest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let i = 0; i < size; i++) samples[i] *= (0.5 / loudest) * Math.min(i / attack, 1) * Math.min((size - i) / (0.1 * rate), 1);
  strings.set(pitch, buffer);
  return buffer;
}

/** The echo of a small room: noise that dies away, the same every time. */
function roomOf(context) {
  const rate = context.sampleRate, buffer = context.createBuffer(2, Math.round(1.1 * rate), rate);
  for (const channel of [0, 1]) {
    const samples = buffer.getChannelData(channel);
    let seed = 7 + channel, dull = 0;
    for (let i = 0; i < samples.length; i++) {
      seed = (seed * 16807) % 2147483647;
      dull += 0.35 * (seed / 1073741823.5 - 1 - dull);
      samples[i] = dull * Math.exp((-5.5 * i) / samples.length);
    }
  }
  return buffer;
}
