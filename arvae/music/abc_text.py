"""ABC as text: the patterns of its grammar, the tunes of a file, the fields and lines of a tune.

The grammar is our own, by the standard 2.1 (abcnotation.com/wiki/abc:standard:v2.1): of the libraries that
read ABC, music21 loses or changes notes and verovio does not know much of the standard; docs/reading.md has
the comparison.
"""

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from arvae.music import keys

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


def lines(tune: str) -> Iterator[tuple[str, str, int]]:
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


def kind_of(match: re.Match) -> str:
    """What a TOKEN is: its first group, "words" (a chord symbol, an annotation), "" for signs and space."""
    kind = next((kind for kind, text in match.groupdict().items() if text is not None), "")
    return "words" if match[0].startswith('"') else kind


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
        """See `kind_of`."""
        return kind_of(self.match)


def metre(value: str) -> tuple[str, Fraction]:
    """A field M: as written, and how many quarter notes a bar has (0: free)."""
    if value in ("C", "C|"):
        return value, Fraction(4)
    found = METRE.fullmatch(value)
    if not found or not int(found[2]):
        return value[:20] or "none", Fraction(0)
    return value, 4 * Fraction(sum(int(beats) for beats in found[1].split("+")), int(found[2]))


def usual_unit(written: str) -> Fraction:
    """L: where none is given: a sixteenth in metres shorter than 3/4, else an eighth; in quarter notes."""
    length = metre(written)[1]
    return Fraction(1, 4) if 0 < length < 3 else Fraction(1, 2)
