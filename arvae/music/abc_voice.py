"""One voice of a tune in ABC, while it is read token by token: notes, bars, and what stands beside them."""

import dataclasses
import re
from bisect import bisect_left
from fractions import Fraction
from typing import Any

from arvae.music.abc_text import ALTER, CHORD, IN_CHORD, Token, kind_of, syllables
from arvae.music.keys import SEMITONES, STEPS, Key
from arvae.music.score import BROKEN, JUMP, LONGEST, Bar, Note, Part, Signs, TuneError


def _own(kind: type) -> Any:
    """An empty list, set or dict, which no copy of a voice shares."""
    return dataclasses.field(init=False, default_factory=kind)


@dataclasses.dataclass
class Voice:
    """One voice while it is read. Times in quarter notes."""

    name: str
    key: dict[str, int]
    unit: Fraction | None
    metre: str
    nominal: Fraction
    propagate: str
    transpose: int = 0
    percussion: bool = False
    now: Fraction = Fraction(0)
    bar_start: Fraction = Fraction(0)
    bar_end: Fraction = Fraction(0)
    section: bool = True
    notes: list[list] = _own(list)  # [start, duration, pitch]
    bars: list[Bar] = _own(list)
    accidentals: dict[str, int] = _own(dict)
    last: dict[str, list] = _own(dict)  # notes of the last event, by name
    last_length: Fraction = Fraction(0)
    written: Fraction = Fraction(0)  # the last event's length before tuplets and broken rhythms
    ties: dict[str, list] = _own(dict)
    start_key: Key | None = None  # the last one before the first note
    broken: Fraction = Fraction(1)  # factor of the next event
    tuplet: Fraction = Fraction(1)
    tuplet_left: int = 0
    tokens: list[Token] = _own(list)  # of the bar under way
    sources: list[list[Token]] = _own(list)  # of the bars
    #: Of the line under way, by bar: where its notes start, and whether tied to the one before.
    line: dict[int, list[tuple[Fraction, bool]]] = _own(dict)
    verse: int = 0  # of the last line w: below it
    jumps: bool = False
    lyrics: list[tuple[Fraction, int, str]] = _own(list)  # these: see Signs
    chords: list[tuple[Fraction, str]] = _own(list)
    opens: set[int] = _own(set)
    closes: set[int] = _own(set)
    endings: dict[int, str] = _own(dict)
    keys: list[tuple[Fraction, str]] = _own(list)

    @property
    def alters(self) -> tuple[int, ...]:
        """What the key signature under way does to each of STEPS."""
        return tuple(self.key.get(step, 0) for step in STEPS)

    def fault(self, detail: str) -> TuneError:
        return TuneError(BROKEN, f"bar {len(self.bars) + 1} has {detail}")

    def length(self, written: str) -> Fraction:
        """The length behind a note: "3/2", "//", "/4", .. in units of L:."""
        number, slashes, below = re.fullmatch(r"(\d*)(/*)(\d*)", written).groups()
        if max(len(number), len(slashes), len(below)) > 6 or 0 in {int(n) for n in (number, below) if n}:
            raise self.fault(f"the length {written[:20]!r}: correct it")
        divided = 2 ** len(slashes) if not below else int(below) * 2 ** (len(slashes) - 1)
        return Fraction(int(number or 1), divided if slashes else 1)

    def pitch(self, match: re.Match) -> tuple[str, int]:
        """A note's name with its octave, and its MIDI pitch."""
        step, accidental = match["step"].upper(), match["accidental"]
        octave = (match["step"].islower()) + match["octave"].count("'") - match["octave"].count(",")
        name = f"{step}{octave}"
        holds = step if self.propagate == "pitch" else name
        if accidental:
            if accidental not in ALTER:
                raise self.fault(f"the accidental {accidental!r}: use one of {' '.join(ALTER)}")
            alter = ALTER[accidental]
            if self.propagate != "not":
                self.accidentals[holds] = alter
        elif name in self.ties:
            return name, self.ties[name][2]
        else:
            alter = self.accidentals.get(holds, self.key.get(step, 0))
        pitch = 60 + 12 * octave + SEMITONES[step] + alter + self.transpose
        if not 0 <= pitch <= 127:
            raise self.fault(f"{match['note']!r}, which is no pitch of MIDI: correct its octave")
        return name, pitch

    def add(self, notes: list[tuple[str, int, Fraction, bool]], length: Fraction) -> None:
        """Notes (name, pitch, length, tied to the next) that start together, or a rest; lengths in units."""
        if self.broken != 1 and length != self.written:
            found = "a broken rhythm (> or <) between notes of different lengths"
            raise self.fault(f"{found}: write their lengths out")
        factor = self.unit * self.broken * (self.tuplet if self.tuplet_left else 1)
        self.written = length if self.broken == 1 else Fraction(0)
        self.tuplet_left = max(self.tuplet_left - 1, 0)
        self.broken = Fraction(1)
        ties, self.ties, self.last = self.ties, {}, {}
        for name, pitch, duration, tied in notes:
            before = ties.get(name)
            if before and before[2] == pitch and before[0] + before[1] == self.now:
                before[1] += duration * factor
                entry = before
            else:
                entry = [self.now, duration * factor, pitch]
                self.notes.append(entry)
            self.last[name] = entry
            if tied:
                self.ties[name] = entry
        if notes:
            tied = all(entry[0] < self.now for entry in self.last.values())
            self.line.setdefault(len(self.bars), []).append((self.now, tied))
        self.last_length = length * factor
        self.move(self.last_length)

    def move(self, by: Fraction) -> None:
        self.now += by
        self.bar_end = max(self.bar_end, self.now)

    def token(self, match: re.Match) -> None:
        """What stands in a line of notes, fields apart."""
        kind = kind_of(match)
        if kind and kind != "words":
            getattr(self, f"on_{kind}")(match)
        self.sign(match)

    def on_note(self, match: re.Match) -> None:
        """A note of its own."""
        length = self.length(match["length"])
        self.add([(*self.pitch(match), length, False)], length)

    def on_chord(self, match: re.Match) -> None:
        """Notes in brackets; they last as long as the first one."""
        inside, factor = match["chord"], self.length(match["chord_length"])
        notes, position = [], 0
        while position < len(inside):
            one = IN_CHORD.match(inside, position)
            if not one:
                raise self.fault(f"the chord [{inside[:20]}], which is no ABC: correct it")
            position = one.end()
            if one["note"]:
                notes.append((*self.pitch(one), factor * self.length(one["length"]), bool(one["tie"])))
        if not notes:
            raise self.fault(f"the chord [{inside[:20]}], which has no note: correct it")
        self.add(notes, notes[0][2])

    def on_rest(self, match: re.Match) -> None:
        """A rest; an x behind a full bar holds a sign such as a fermata, no time."""
        full = self.nominal and self.now - self.bar_start >= self.nominal
        if match["rest"] == "z" or not full:
            self.add([], self.length(match["rest_length"]))

    def on_bar(self, match: re.Match) -> None:
        """A bar line."""
        self.close(section=match["bar"] != "|" or bool(match["endings"]))

    def on_ending(self, match: re.Match) -> None:
        """The bracket of an ending, or one with a name."""
        self.close(section=True)

    on_named = on_ending

    def on_tie(self, match: re.Match) -> None:
        """The last notes go on."""
        self.ties = dict(self.last)

    def on_broken(self, match: re.Match) -> None:
        """`a>b` (a longer, b shorter), `a<b`, and with two or three signs."""
        signs = match["broken"]
        if not self.last_length or not self.written or len(signs) > 3:
            raise self.fault(f"{signs[:10]!r} without a note of its own before it: write the lengths out")
        short = Fraction(1, 2 ** len(signs))
        mine, self.broken = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        longer = self.last_length * (mine - 1)
        for entry in self.last.values():
            entry[1] += longer
        self.now += longer
        self.bar_end = self.now if self.bar_end == self.now - longer else max(self.bar_end, self.now)
        self.last_length = Fraction(0)

    def on_tuplet(self, match: re.Match) -> None:
        """`(3`, `(3:2:4`: so many notes in the time of so many, for so many notes."""
        count, rest = int(match["tuplet"]), match["tuplet_rest"]
        compound = self.metre.partition("/")[0] in ("6", "9", "12")
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(count, 3 if compound else 2)
        _, during, notes = [*rest.split(":"), "", "", ""][:3]
        if len(rest) > 8 or 0 in {count, *(int(n) for n in (during, notes) if n)}:
            raise self.fault(f"the tuplet {count}{rest}: correct it")
        self.tuplet = Fraction(int(during or usual), count)
        self.tuplet_left = int(notes or count)

    def on_bars(self, match: re.Match) -> None:
        """A rest of whole bars."""
        count = match["count"]
        if not self.nominal or self.now != self.bar_start or len(count) > 6 or int(count or 1) > LONGEST:
            raise self.fault(f"a rest of {count or 1} whole bars, which needs a metre and a bar of its own")
        for number in range(int(count or 1)):
            if number:
                self.close()
            if len(self.bars) > LONGEST:
                raise self.fault(f"more than {LONGEST:,} bars before it, too many for a tune: cut it")
            self.ties, self.last = {}, {}
            self.move(self.nominal)

    def on_overlay(self, match: re.Match) -> None:
        """Back to the start of the bar."""
        if match["overlay"] != "&" or self.now == self.bar_start:
            raise self.fault("an overlay of several bars: write the second voice as one of its own (V:)")
        self.now = self.bar_start
        self.ties, self.last, self.accidentals, self.last_length = {}, {}, {}, Fraction(0)

    def close(self, section: bool = False) -> None:
        """A bar line; section: a double one, a repeat sign, an ending."""
        if self.bar_end > self.bar_start:
            length = self.bar_end - self.bar_start
            number = str(len(self.bars) + 1)
            self.bars.append(Bar(number, self.bar_start, length, self.nominal, self.metre, self.section))
            self.now = self.bar_start = self.bar_end
            self.section = False
            self.sources.append(self.tokens)
            self.tokens = []
        self.section = self.section or section
        self.accidentals, self.last_length = {}, Fraction(0)

    def part(self, named: bool) -> Part:
        notes = tuple(Note(*entry) for entry in self.notes)
        name = f"{self.name} (percussion)" if self.percussion else self.name
        bars, count = tuple(self.bars), len(self.bars)
        # An ending goes up to the next bar line that is no plain one.
        ends = [place for place in range(count) if place + 1 == count or bars[place + 1].section]
        stops = [ends[bisect_left(ends, place)] for place in self.endings if place < count]
        signs = Signs(
            tuple(self.chords), frozenset(self.opens), frozenset(self.closes), tuple(self.endings.items()),
            tuple(sorted(self.lyrics)), self.jumps, frozenset(stops), tuple(self.keys),
        )  # fmt: skip
        return Part(name if named else "", notes, bars, self.percussion, key=self.start_key, signs=signs)

    def sign(self, match: re.Match) -> None:
        """Note chord symbols, repeats and endings, behind what closed the bar."""
        line, place = match["bar"] or "", len(self.bars)
        if line.startswith(":") and place:
            self.closes.add(place - 1)
        if line.endswith(":"):
            self.opens.add(place)
        ending = re.sub(r"[^\d,-]", "", match["endings"] or match["ending"] or "").strip(",-")
        if ending:
            self.endings[place] = ending
        if CHORD.match(match[0]):
            self.chords.append((self.now, match[0].strip('"')))
        self.jumps = self.jumps or (match[0][0] in '!+"' and bool(JUMP.search(match[0])))

    def sing(self, words: str) -> None:
        """A line w: below a line of notes."""
        self.verse += 1
        sung = syllables(words, map(len, self.line.values()))
        for starts, own in zip(self.line.values(), sung, strict=True):
            for (start, tied), slot in zip(starts, own, strict=False):
                text = slot.replace("\\-", "\N{NON-BREAKING HYPHEN}").replace("~", " ")
                if slot not in "*_-":
                    self.lyrics.append((start, self.verse, text))
                elif slot == "_" and not tied and self.lyrics and not self.lyrics[-1][2].endswith(("_", "-")):
                    self.lyrics[-1] = (*self.lyrics[-1][:2], f"{self.lyrics[-1][2]}_")
