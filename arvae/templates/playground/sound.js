"use strict";
// Plays a melody with the browser's own synthesizer. What is to be heard is asked for measure by measure, so that a control
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
    this.output = new GainNode(this.context, { gain: 0.5 });
    const soft = new BiquadFilterNode(this.context, { type: "lowpass", frequency: 3200 });
    this.output.connect(soft).connect(this.context.destination);
    // A few overtones, falling off: something between a flute and a reed.
    this.wave = new PeriodicWave(this.context, { real: Array(6).fill(0), imag: [0, 1, 0.35, 0.22, 0.1, 0.06] });
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
    const oscillator = new OscillatorNode(this.context, { frequency: 440 * 2 ** ((pitch - 69) / 12) });
    oscillator.setPeriodicWave(this.wave);
    const envelope = new GainNode(this.context, { gain: 0 });
    const end = at + Math.max(seconds * 0.95, 0.05);
    envelope.gain.setValueAtTime(0, at);
    envelope.gain.linearRampToValueAtTime(0.5, at + 0.015);
    envelope.gain.setTargetAtTime(0.3, at + 0.015, 0.15);
    envelope.gain.setTargetAtTime(0, end - 0.02, 0.02);
    oscillator.connect(envelope).connect(this.output);
    oscillator.start(at);
    oscillator.stop(end + 0.15);
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
