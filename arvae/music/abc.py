"""ABC notation to scores, by the standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1).

The grammar is our own: of the libraries that read ABC, music21 loses or changes notes and verovio does not
know much of the standard; docs/reading.md has the comparison. A tune is read as it is written, each repeat
and each ending once.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from arvae.music import keys
from arvae.music.keys import FIFTHS, SEMITONES, STEPS, Key
from arvae.music.score import BROKEN, JUMP, LONGEST, Bar, Note, Part, Score, Signs, TuneError

# The playground's page reads with these patterns and tables too (compendium/playground/grammar.py).
_NOTE = r"(?P<accidental>[\^_=]*)(?P<step>[A-Ga-g])(?P<octave>[,']*)(?P<length>\d*/*\d*)"
_PLAIN = r"[\^_=]*[A-Ga-gz][,']*(?:\d+(?:/+\d*)?|/+\d*)?[<>]*"  # notes between two ! that end lines
TOKEN = re.compile(
    r'"[^"]*"|\{[^{}]*\}|y\d*'
    rf"|!(?!(?!f+!)(?:{_PLAIN})+!)[^!|\s\]\[]{{1,40}}!|!D\.[CS]\.? [^!|]{{1,20}}!"
    r"|\+(?![A-Ga-g]{2,}\+)[a-zA-Z0-9.()<>]+\+"
    r"|\[(?P<field>[A-Za-z]):(?P<value>[^\]]*)\]"
    r"|(?P<bar>\|[\]:|]*|:[\]:|]*|\[\|[\]:|]*)(?P<endings>\s*\[?\d[\d,\-.]*)?"
    r"|(?P<ending>\[\d[\d,\-.]*)"
    r"|\((?P<tuplet>\d)(?P<tuplet_rest>(?::\d*){0,2})"
    rf"|(?P<note>{_NOTE})"
    r"|(?P<rest>[xz])(?P<rest_length>\d*/*\d*)"
    r"|(?P<bars>[XZ])(?P<count>\d*)"
    r"|\[(?P<chord>[^\]\[|]{1,500})\](?P<chord_length>\d*/*\d*)"
    r'|(?P<named>\["[^"]*")'
    r"|(?P<tie>-)|(?P<broken>>+|<+)|(?P<overlay>\(&|&\)?)"
    r"|=(?:20)?\s*$"  # what e-mail makes of a long line
    r"|[\s).~`*;?@#$\\H-WYh-w]+|[(!]"
)
IN_CHORD = re.compile(rf'"[^"]*"|![^!]*!|(?P<note>{_NOTE})(?P<tie>-?)|[\s().~uvH-WY]')
KINDS = (
    "note",
    "rest",
    "chord",
    "tie",
    "broken",
    "tuplet",
    "overlay",
    "bar",
    "bars",
    "ending",
    "named",
    "field",
)
_LARGEST = 100_000  # characters of a tune; a long one has some 5,000
ALTER = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
MODES = {mode[:3]: mode for mode in keys.MODES} | {"": "major", "ion": "major", "m": "minor", "aeo": "minor"}
_ANY = "|".join("".join(f"[{c}{c.upper()}]" for c in mode) for mode in MODES if len(mode) == 3)
KEY = re.compile(rf"([A-G])([#b]?) ?(m(?![a-z])|(?:{_ANY})[a-zA-Z]*|)")
SETTING = re.compile(
    r"\b(clef|octave|transpose|name|nm|subname|snm|sname|middle|m|shift|score|sound|stem|stafflines|staffscale"
    r'|style)=("[^"]*"|\S*)|\b(treble|alto|tenor|bass|perc)\d?([+-]8)?(?=\s|$)'
)
METRE = re.compile(r"\(?(\d{1,3}(?: ?\+ ?\d{1,3})*)\)? ?/ ?(\d{1,3})")
CHORD = re.compile(r'"[A-G](?!ine|oda|\.)')  # a chord symbol: "Fine", "Coda" and "D.C." are none
SYLLABLE = re.compile(r"\||\*|_|-|(?:\\-|[^\s\-|*_])+-?")
_HIDDEN = re.compile(r"(?ms)^%%begin(\w+).*?(?:^%%end\1[^\n]*\n?|\Z)")


def decode(content: bytes) -> str:
    """A file's text: UTF-8, UTF-16 as some editors save it, or Latin-1 as older collections are written."""
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def tunes(text: str) -> list[str]:
    """Cut a file into tunes, each with what the file's header says for all; the whole where there is no X:.

    A tune goes from its X: field to an empty line; what stands between two tunes is text.
    """
    text = _HIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    head, *numbered = re.split(r"(?m)^(?=X:)", text)
    shared = [line for line in head.split("\n") if re.match(r"[ILM]:|%%", line)]
    found = []
    for tune in numbered:
        number, _, rest = tune.partition("\n")
        own = rest.partition("\nK:")[0]
        kept = [line for line in shared if line[0] not in "LM" or not re.search(f"(?m)^{line[0]}:", own)]
        found.append("\n".join([number, *kept, rest]))
    return [_until_blank(tune) for tune in found or [text]]


def _until_blank(tune: str) -> str:
    """The lines of a tune up to the first empty one behind its K: field."""
    key = re.search(r"(?m)^K:.*\n", tune)
    blank = re.compile(r"(?m)^[ \t]*$").search(tune, key.end()) if key else None
    return tune[: blank.start()] if blank else tune


def field(tune: str, letter: str) -> str | None:
    """The first field `letter` of a tune, without its comment; None where there is none."""
    found = re.search(rf"(?m)^{letter}:([^%\n]*)", tune)
    return found.group(1).strip() if found else None


def is_common(metre: str) -> bool:
    """Whether an M: field says four quarters a bar: 4/4 or C, or C| and its other writing 2/2."""
    return metre.replace(" ", "") in ("4/4", "C", "C|", "2/2")


def read(text: str) -> list[Score]:
    """Every tune of a file, in order. Raises TuneError for the first that cannot be read."""
    return [read_tune(tune) for tune in tunes(text)]


def read_tune(tune: str) -> Score:
    """One tune, as `tunes` cuts it; its voices are the parts of the score, notes as they sound.

    Notes of a chord and of overlays (&) sound together in one part. Raises TuneError, naming the bar, for
    what is no ABC.
    """
    voices = _read(tune)
    tempo = re.search(r"(\d{1,2})/(\d{1,2})\s*=\s*(\d{1,4})", field(tune, "Q") or "")
    return Score(
        title=field(tune, "T") or "",
        parts=tuple(voice.part(len(voices) > 1) for voice in voices),
        metre=field(tune, "M") or "",
        number=field(tune, "X") or "",
        tempo=4.0 * int(tempo[1]) * int(tempo[3]) / (int(tempo[2]) or 4) if tempo else None,
        composer=field(tune, "C") or "",
    )


def _read(tune: str) -> list["_Voice"]:
    """The voices that are the parts of a tune."""
    if len(tune) > _LARGEST:
        raise TuneError(BROKEN, f"the tune has {len(tune):,} characters, it may have {_LARGEST:,}: cut it")
    reading = _Tune()
    for letter, line, at in _lines(tune):
        if letter:
            reading.field(letter, line)
        else:
            reading.music(line, at)
    if reading.in_header:
        raise TuneError(BROKEN, "the tune has no field K:, which ends its header: write one such as K:C")
    voices = list(reading.voices.values())
    for voice in voices:
        voice.close()
    return [voice for voice in voices if voice.notes] or voices[:1]


def bars(tune: str, place: int) -> list[list["Token"]]:
    """Of what each bar of a tune's part (from 0) is written; none for those within a rest of several bars."""
    return _read(tune)[place].sources


def syllables(line: str, counts: Iterable[int]) -> list[list[str]]:
    """What a line w: has for the notes of each bar of the line above, of which there are so many: syllables
    and the signs * _ -; fewer where it ends earlier, or goes on to the next bar (|)."""
    slots, sung = SYLLABLE.findall(line), []
    for count in counts:
        own = []
        while slots and len(own) < count and slots[0] != "|":
            own.append(slots.pop(0))
        if slots and slots[0] == "|":
            slots.pop(0)
        sung.append(own)
    return sung


def read_key(value: str) -> Key | None:
    """What a field K: means: "G", "Am", "D mix", "D phr ^f"; None for "none". Raises TuneError for no key."""
    reading = _Tune()
    reading.key(reading.base, value)
    return reading.base.start_key


def _lines(tune: str) -> Iterator[tuple[str, str, int]]:
    """The tune's lines without comments: (letter of the field or "", the rest, where the line starts)."""
    body, before, following = False, "", 0
    for line in tune.split("\n"):
        at, following = following + len(line) - len(line.lstrip()), following + len(line) + 1
        directive = re.match(r"%%\s*(?:abc-)?(propagate-accidentals\s+\w+)", line)
        if directive:
            yield "I", directive[1], at
        line = re.sub(r"(?<!\\)%.*", "", line).strip()
        letter, colon, value = line.partition(":")
        if letter == "+" and before:
            yield before, value.strip() if before in "IKLMQV" else "", at
            continue
        is_field = colon and len(letter) == 1 and letter.isalpha()
        if is_field and body and letter in "ABCDEFGabcdefgxz" and value[:1] in (":", "|", ""):
            is_field = False  # a note before a repeat sign
        before = letter if is_field else ""
        body = body or letter == "K"
        if line:
            yield (letter, value.strip(), at) if is_field else ("", line, at)


class Token(NamedTuple):
    """A piece of a line of notes: where its line starts in the tune, its match there, when in the voice it
    comes (quarter notes), and in which unit, key and transposition."""

    line: int
    match: re.Match
    now: Fraction
    unit: Fraction
    key: dict[str, int]
    transpose: int

    @property
    def span(self) -> tuple[int, int]:
        """Its characters of the tune."""
        return self.line + self.match.start(), self.line + self.match.end()

    @property
    def kind(self) -> str:
        """What it is: one of KINDS, "words" (a chord symbol, an annotation), "" for signs and space."""
        kind = next((kind for kind in KINDS if self.match[kind] is not None), "")
        return "words" if self.match[0].startswith('"') else kind


@dataclasses.dataclass
class _Voice:
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
    notes: list[list] = dataclasses.field(default_factory=list)  # [start, duration, pitch]
    bars: list[Bar] = dataclasses.field(default_factory=list)
    accidentals: dict[str, int] = dataclasses.field(default_factory=dict)
    last: dict[str, list] = dataclasses.field(default_factory=dict)  # notes of the last event, by name
    last_length: Fraction = Fraction(0)
    written: Fraction = Fraction(0)  # the last event's length before tuplets and broken rhythms
    ties: dict[str, list] = dataclasses.field(default_factory=dict)
    start_key: Key | None = None  # the last one before the first note
    broken: Fraction = Fraction(1)  # factor of the next event
    tuplet: Fraction = Fraction(1)
    tuplet_left: int = 0
    tokens: list[Token] = dataclasses.field(default_factory=list)  # of the bar under way
    sources: list[list[Token]] = dataclasses.field(default_factory=list)  # of the bars
    #: Of the line under way, by bar: where its notes start, and whether tied to the one before.
    line: dict[int, list[tuple[Fraction, bool]]] = dataclasses.field(default_factory=dict)
    verse: int = 0  # of the last line w: below it
    jumps: bool = False
    lyrics: list[tuple[Fraction, int, str]] = dataclasses.field(default_factory=list)  # these: see Signs
    chords: list[tuple[Fraction, str]] = dataclasses.field(default_factory=list)
    opens: set[int] = dataclasses.field(default_factory=set)
    closes: set[int] = dataclasses.field(default_factory=set)
    endings: dict[int, str] = dataclasses.field(default_factory=dict)

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
            raise self.fault(
                "a broken rhythm (> or <) between notes of different lengths: write their lengths out"
            )
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

    def break_rhythm(self, signs: str) -> None:
        """`a>b` (a longer, b shorter), `a<b`, and with two or three signs."""
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

    def start_tuplet(self, count: int, rest: str) -> None:
        compound = self.metre.partition("/")[0] in ("6", "9", "12")
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(count, 3 if compound else 2)
        _, during, notes = [*rest.split(":"), "", "", ""][:3]
        if len(rest) > 8 or 0 in {count, *(int(n) for n in (during, notes) if n)}:
            raise self.fault(f"the tuplet {count}{rest}: correct it")
        self.tuplet = Fraction(int(during or usual), count)
        self.tuplet_left = int(notes or count)

    def rest_bars(self, count: str) -> None:
        if not self.nominal or self.now != self.bar_start or len(count) > 6 or int(count or 1) > LONGEST:
            raise self.fault(f"a rest of {count or 1} whole bars, which needs a metre and a bar of its own")
        for number in range(int(count or 1)):
            if number:
                self.close()
            if len(self.bars) > LONGEST:
                raise self.fault(f"more than {LONGEST:,} bars before it, too many for a tune: cut it")
            self.ties, self.last = {}, {}
            self.move(self.nominal)

    def overlay(self, sign: str) -> None:
        """Back to the start of the bar."""
        if sign != "&" or self.now == self.bar_start:
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
        signs = Signs(
            tuple(self.chords), frozenset(self.opens), frozenset(self.closes), tuple(self.endings.items()),
            tuple(sorted(self.lyrics)), self.jumps,
        )  # fmt: skip
        bars = tuple(self.bars)
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
        for starts, own in zip(
            self.line.values(), syllables(words, map(len, self.line.values())), strict=True
        ):
            for (start, tied), slot in zip(starts, own, strict=False):
                text = slot.replace("\\-", "\N{NON-BREAKING HYPHEN}").replace("~", " ")
                if slot not in "*_-":
                    self.lyrics.append((start, self.verse, text))
                elif slot == "_" and not tied and self.lyrics and not self.lyrics[-1][2].endswith(("_", "-")):
                    self.lyrics[-1] = (*self.lyrics[-1][:2], f"{self.lyrics[-1][2]}_")


class _Tune:
    """A tune while it is read: what its header says for all voices, and the voices."""

    def __init__(self) -> None:
        self.base = _Voice("", {}, None, "none", Fraction(0), "pitch")
        self.defined: dict[str, str] = {}  # V: of the header
        self.voices: dict[str, _Voice] = {}
        self.current: _Voice | None = None
        self.in_header = True

    def voice(self, name: str = "") -> _Voice:
        """The voice of that name, made where it is new; "": the current one."""
        if name or self.current is None:
            name = name or next(iter(self.defined), "1")
            if name not in self.voices:
                unit = self.base.unit or _usual_unit(self.base.metre)
                new = dataclasses.replace(
                    self.base,
                    name=name,
                    unit=unit,
                    notes=[],
                    bars=[],
                    accidentals={},
                    last={},
                    ties={},
                    tokens=[],
                    sources=[],
                    line={},
                    lyrics=[],
                    chords=[],
                    opens=set(),
                    closes=set(),
                    endings={},
                )
                self.voices[name] = new
                self.settings(new, self.defined.get(name, ""))
            self.current = self.voices[name]
        return self.current

    def field(self, letter: str, value: str) -> None:
        """A field of the header, of the body, or inside a line."""
        voice = self.current or self.base
        if letter == "M":
            voice.metre, voice.nominal = _metre(value)
        elif letter == "L":
            found = re.match(r"(\d{1,3})\s*(?:/\s*(\d{1,4}))?", value)
            if not found or 0 in (int(found[1]), int(found[2] or 1)):
                raise voice.fault(f"the unit L:{value[:20]}: write one such as L:1/8")
            voice.unit = 4 * Fraction(int(found[1]), int(found[2] or 1))
        elif letter == "K":
            self.in_header = False
            self.key(voice, value)
        elif letter == "V":
            name, _, settings = value.partition(" ")
            if not name:
                return
            if self.in_header:
                self.defined[name] = settings
            else:
                self.settings(self.voice(name), settings)
        elif letter == "w":
            voice.sing(value)
        elif letter == "P" and not self.in_header:
            voice.section = True
        elif letter == "I" and value.startswith("propagate-accidentals"):
            voice.propagate = value.split()[-1]

    def key(self, voice: _Voice, value: str) -> None:
        """K: the key signature, explicit accidentals, what a clef does to the sound."""
        self.settings(voice, value)
        written = "" if value.strip() == "none" else SETTING.sub("", value).strip()
        tonic = mode = ""
        found = KEY.match(written)
        if written in ("HP", "Hp"):  # bagpipes: HP writes no sharps, Hp means F and C sharp
            voice.key, written = {"F": 1, "C": 1} if written == "Hp" else {}, ""
        elif found:
            tonic, mode = found[1] + found[2], MODES[found[3][:3].lower()]
            fifths = FIFTHS.index(found[1]) - 1 + 7 * {"": 0, "#": 1, "b": -1}[found[2]] - keys.MODES[mode]
            voice.key = {step: (fifths + 6 - place) // 7 for place, step in enumerate(FIFTHS)}
            written = written[found.end() :].strip()
        elif value.strip() in ("", "none"):
            voice.key = {}
        explicit = re.match(r"(?i)exp[a-z]*", written)
        if explicit:
            voice.key, written = {}, written[explicit.end() :]
        for accidental, step in re.findall(r"([\^_=]+)([A-Ga-g])", written):
            voice.key = voice.key | {step.upper(): ALTER.get(accidental, 0)}
        if re.sub(r"([\^_=]+)([A-Ga-g])", "", written).strip():
            raise voice.fault(f"the key {value[:30]!r}: write one such as G, Am, D mix or D phr ^f")
        if not voice.notes:
            given = Key(tuple(voice.key.get(step, 0) for step in STEPS), tonic, mode)
            voice.start_key = given if voice.key else None

    def settings(self, voice: _Voice, value: str) -> None:
        """What V: and K: say of sound: octave=, transpose=, clefs with 8; drums; a name."""
        octaves, moved, asked = 0, 0, False
        for name, setting, clef, eight in SETTING.findall(value):
            setting = setting.strip('"')
            if name in ("octave", "transpose") and re.fullmatch(r"[+-]?\d{1,2}", setting):
                octaves += 12 * int(setting) if name == "octave" else 0
                moved += int(setting) if name == "transpose" else 0
                asked = True
            eight = eight or (re.search(r"[+-]8", setting) or [""])[0] if name == "clef" or clef else ""
            if eight:
                octaves, asked = octaves + (12 if eight[0] == "+" else -12), True
            if name in ("name", "nm") and setting:
                voice.name = setting
            voice.percussion = voice.percussion or "perc" in (clef, setting if name == "clef" else "")
        if asked:
            voice.transpose = octaves + moved

    def music(self, line: str, at: int) -> None:
        """One line of notes, which starts `at` that character of the tune."""
        if self.in_header:  # text that belongs to no field
            return
        voice, position = self.voice(), 0
        voice.line, voice.verse = {}, 0
        while position < len(line):
            match = TOKEN.match(line, position)
            if not match:
                raise voice.fault(f"{line[position : position + 12]!r}, which is no ABC: correct it")
            voice.tokens.append(Token(at, match, voice.now, voice.unit, voice.key, voice.transpose))
            position = match.end()
            if match["field"]:
                self.field(match["field"], match["value"].strip())
                voice = self.voice()
            else:
                _token(voice, match)


def _token(voice: _Voice, match: re.Match) -> None:
    """What stands in a line of notes, fields apart."""
    if match["note"]:
        length = voice.length(match["length"])
        voice.add([(*voice.pitch(match), length, False)], length)
    elif match["bar"]:
        voice.close(section=match["bar"] != "|" or bool(match["endings"]))
    elif match["rest"]:
        full = voice.nominal and voice.now - voice.bar_start >= voice.nominal
        if match["rest"] == "z" or not full:  # an x behind a full bar holds a sign such as a fermata, no time
            voice.add([], voice.length(match["rest_length"]))
    elif match["tie"]:
        voice.ties = dict(voice.last)
    elif match["broken"]:
        voice.break_rhythm(match["broken"])
    elif match["tuplet"]:
        voice.start_tuplet(int(match["tuplet"]), match["tuplet_rest"])
    elif match["chord"]:
        voice.add(*_chord(voice, match["chord"], voice.length(match["chord_length"])))
    elif match["ending"] or match["named"]:
        voice.close(section=True)
    elif match["bars"]:
        voice.rest_bars(match["count"])
    elif match["overlay"]:
        voice.overlay(match["overlay"])
    voice.sign(match)


def _chord(voice: _Voice, inside: str, factor: Fraction) -> tuple[list, Fraction]:
    """The notes of a chord, and its length: that of its first note."""
    notes, position = [], 0
    while position < len(inside):
        match = IN_CHORD.match(inside, position)
        if not match:
            raise voice.fault(f"the chord [{inside[:20]}], which is no ABC: correct it")
        position = match.end()
        if match["note"]:
            notes.append((*voice.pitch(match), factor * voice.length(match["length"]), bool(match["tie"])))
    if not notes:
        raise voice.fault(f"the chord [{inside[:20]}], which has no note: correct it")
    return notes, notes[0][2]


def _metre(value: str) -> tuple[str, Fraction]:
    """A field M: as written, and how many quarter notes a bar has (0: free)."""
    if value in ("C", "C|"):
        return value, Fraction(4)
    found = METRE.fullmatch(value)
    if not found or not int(found[2]):
        return value[:20] or "none", Fraction(0)
    return value, 4 * Fraction(sum(int(beats) for beats in found[1].split("+")), int(found[2]))


def _usual_unit(metre: str) -> Fraction:
    """L: where none is given: a sixteenth in metres shorter than 3/4, else an eighth; in quarter notes."""
    length = _metre(metre)[1]
    return Fraction(1, 4) if 0 < length < 3 else Fraction(1, 2)
