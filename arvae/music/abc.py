"""ABC notation to scores, by the standard 2.1: each tune as it is written, its repeats and endings once."""

import dataclasses
import re
from fractions import Fraction

from arvae.music import abc_text, keys
from arvae.music.abc_text import ALTER, KEY, MODES, SETTING, TOKEN, Token, field, metre, usual_unit
from arvae.music.abc_voice import Voice
from arvae.music.keys import STEPS, Key
from arvae.music.score import BROKEN, Score, TuneError

_LARGEST = 100_000  # characters of a tune; a long one has some 5,000


def read(text: str) -> list[Score]:
    """Every tune of a file, in order. Raises TuneError for the first that cannot be read."""
    return [read_tune(tune) for tune in abc_text.tunes(text)]


def read_tune(tune: str) -> Score:
    """One tune, as `tunes` cuts it; its voices are the parts of the score, notes as they sound.

    Notes of a chord and of overlays (&) sound together in one part. Raises TuneError, naming the bar, for
    what is no ABC.
    """
    voices = _read(tune)
    tempo = re.search(r"(\d{1,2})/(\d{1,2})\s*=\s*(\d{1,4}(?:\.\d{1,3})?)", field(tune, "Q") or "")
    named = {"title": "T", "metre": "M", "number": "X", "composer": "C"}
    return Score(
        **{name: field(tune, letter) or "" for name, letter in named.items()},
        parts=tuple(voice.part(len(voices) > 1) for voice in voices),
        tempo=4 * int(tempo[1]) * float(tempo[3]) / (int(tempo[2]) or 4) if tempo else None,
        varied=len(set(re.findall(r"(?m)(?:^|\[)Q:\s*([^%\]\n]*)", tune))) > 1,
    )


def _read(tune: str) -> list[Voice]:
    """The voices that are the parts of a tune."""
    if len(tune) > _LARGEST:
        raise TuneError(BROKEN, f"the tune has {len(tune):,} characters, it may have {_LARGEST:,}: cut it")
    reading = _Tune()
    for letter, line, at in abc_text.lines(tune):
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


def bars(tune: str, place: int) -> list[list[Token]]:
    """Of what each bar of a tune's part (from 0) is written; none for those within a rest of several bars."""
    return _read(tune)[place].sources


def read_key(value: str) -> Key | None:
    """What a field K: means: "G", "Am", "D mix", "D phr ^f"; None for "none". Raises TuneError for no key."""
    reading = _Tune()
    reading.key(reading.base, value)
    return reading.base.start_key


class _Tune:
    """A tune while it is read: what its header says for all voices, and the voices."""

    def __init__(self) -> None:
        self.base = Voice("", {}, None, "none", Fraction(0), "pitch")
        self.defined: dict[str, str] = {}  # V: of the header
        self.voices: dict[str, Voice] = {}
        self.current: Voice | None = None
        self.in_header = True

    def voice(self, name: str = "") -> Voice:
        """The voice of that name, made where it is new; "": the current one."""
        if name or self.current is None:
            name = name or next(iter(self.defined), "1")
            if name not in self.voices:
                unit = self.base.unit or usual_unit(self.base.metre)
                new = dataclasses.replace(self.base, name=name, unit=unit)
                self.voices[name] = new
                self.settings(new, self.defined.get(name, ""))
            self.current = self.voices[name]
        return self.current

    def field(self, letter: str, value: str) -> None:
        """A field of the header, of the body, or inside a line."""
        voice = self.current or self.base
        if letter == "M":
            voice.metre, voice.nominal = metre(value)
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

    def key(self, voice: Voice, value: str) -> None:
        """K: the key signature, explicit accidentals, what a clef does to the sound."""
        self.settings(voice, value)
        before = voice.alters
        written = "" if value.strip() == "none" else SETTING.sub("", value).strip()
        tonic = mode = ""
        found = KEY.match(written)
        if written in ("HP", "Hp"):  # bagpipes: HP writes no sharps, Hp means F and C sharp
            voice.key, written = {"F": 1, "C": 1} if written == "Hp" else {}, ""
        elif found:
            tonic, mode = found[1] + found[2], MODES[found[3][:3].lower()]
            voice.key = dict(zip(STEPS, keys.altered(keys.sharps(tonic, mode)), strict=True))
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
        given = Key(voice.alters, tonic, mode)
        if not voice.notes:
            voice.start_key = given if voice.key else None
        elif given.alters != before:
            voice.keys.append((voice.now, str(given)))

    def settings(self, voice: Voice, value: str) -> None:
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
                voice.token(match)
