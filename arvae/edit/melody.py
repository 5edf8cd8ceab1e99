"""A melody from a file, ready to be edited, and back to a file. What does not fit is refused with what to do
about it; what can be made to fit is made so only when asked for: one part of several, the highest voice, the
range, the grid.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from arvae.edit.faults import EditError
from arvae.music import abc as abc_notation
from arvae.music import coding as music
from arvae.music import files as scores
from arvae.music import musicxml, score, tunes
from arvae.music.tunes import LONGEST, Bar, Event, TuneError

ANY_PITCH = music.Vocabulary(0, 127)
_HINTS = {
    tunes.CHORDS: "--monophonic keeps the highest note; --part N chooses a part, --tune N a tune of an ABC "
    "file",
    tunes.OFF_GRID: "--quantize moves every onset to the nearest sixteenth or triplet",
    scores.RANGE: "--transpose moves the melody into the range, edits it there, and moves it back",
    tunes.OTHER_METRE: "only 4/4, C and C| can be edited: the models know no other metre",
    tunes.IRREGULAR: "fill the bar up with rests in a notation program",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Melody:
    """A melody: measures int16 (n, 24) as the model reads them; `shift`: by how many semitones they were
    moved to fit its range; adapted: what was done to it, in words; title: the file's name."""

    measures: np.ndarray
    title: str
    shift: int = 0
    adapted: tuple[str, ...] = ()

    def written(self, measures: np.ndarray) -> np.ndarray:
        """Measures of this melody, edited or not, in the key it came in."""
        return music.transpose(measures, -self.shift)

    def save(self, path: Path | str, measures: np.ndarray, tempo: float = 100) -> Path:
        """Write measures, edited or not, as .musicxml or .mid, in the key the melody came in; returns the
        path."""
        try:
            return scores.write(path, self.written(measures), title=self.title, tempo=tempo)
        except ValueError as error:
            raise EditError(str(error)) from error


def read(
    path: Path | str,
    vocabulary: music.Vocabulary,
    part: str | None = None,
    tune: str | None = None,
    monophonic: bool = False,
    transpose: bool = False,
    quantize: bool = False,
) -> Melody:
    """A melody from a MIDI, MusicXML or ABC file: one voice, 4/4, onsets on the grid, within the vocabulary's
    range.

    Args:
        part: the part of a score or track of a MIDI file, by number from 1 or by name.
        tune: the tune of an ABC file with several, by its X: number.
        monophonic: keep the highest note where several sound; quantize: move onsets to the grid; transpose:
        move
            the melody into the range.

    Raises:
        EditError: for what does not fit and was not asked to be adapted, with the option that would.
    """
    path, adapted = Path(path), []
    try:
        if part is None and tune is None and not monophonic and not quantize:
            measures = scores.read(path, ANY_PITCH)
        else:
            measures = _adapted(path, part, tune, monophonic, quantize, adapted)
        shift = _shift(measures, vocabulary, transpose)
    except TuneError as error:
        hint = _HINTS.get(error.reason)
        raise EditError(f"{error}{f'. {hint}' if hint else ''}") from error
    if shift:
        adapted.append(f"moved by {shift:+d} semitones into the model's range, and back in what is written")
    return Melody(music.transpose(measures, shift), path.stem, shift, tuple(adapted))


def _shift(measures: np.ndarray, vocabulary: music.Vocabulary, transpose: bool) -> int:
    """By how many semitones the melody is to be moved: 0 where it fits; octaves before others. TuneError if
    not asked."""
    low, high = vocabulary.lowest, vocabulary.highest
    pitches = measures[measures >= 0]
    if not pitches.size or low <= pitches.min() <= pitches.max() <= high:
        return 0
    lowest, highest = (music.pitch_name(int(pitch)) for pitch in (pitches.min(), pitches.max()))
    shifts = music.transpositions(measures, low, high)
    within = f"{music.pitch_name(low)} to {music.pitch_name(high)} (MIDI {low}-{high})"
    if not shifts:
        raise EditError(
            f"the melody goes from {lowest} to {highest}, the model knows {within}: too wide to be moved "
            "into it; edit a narrower part of it"
        )
    if not transpose:
        raise TuneError(scores.RANGE, f"the melody goes from {lowest} to {highest}, the model knows {within}")
    return min(shifts, key=lambda shift: (shift % 12 != 0, abs(shift)))


# What music21 meets broken files with, beside its own exceptions.
_BROKEN = (ArithmeticError, AttributeError, LookupError, SyntaxError, TypeError, ValueError, OSError)
Note = tuple[Fraction, Fraction, int]  # start and end in quarter notes, MIDI pitch


def _adapted(
    path: Path, part: str | None, tune: str | None, monophonic: bool, quantize: bool, adapted: list[str]
) -> np.ndarray:
    """Measures of a file by way of its notes alone, adapted as asked; `adapted` is told what was done."""
    if tune is not None and part is None and not monophonic and not quantize:
        return score.measures(score.melody(abc_notation.read_tune(_one_tune(path, tune))))
    chosen = _choose(_parts(path, tune), part, path)
    if part is not None:
        adapted.append(f"part {chosen.partName or part} of the score")
    notes = _notes(chosen)
    if quantize:
        moved = sum(start != _on_grid(start) for start, _, _ in notes)
        notes = [(a, max(b, a + Fraction(1, 12)), pitch) for a, b, pitch in _snapped(notes)]
        adapted.append(f"{moved} of {len(notes)} onsets moved to the grid")
    if monophonic:
        kept = highest(notes)
        adapted.append(f"highest voice: {len(kept)} of {len(notes)} notes kept")
        notes = kept
    if not notes:
        raise TuneError(tunes.SILENT, f"{path.name} has no note in this part: choose another")
    length = -(-max(end for _, end, _ in notes) // 4) * 4
    events = tuple(Event(start, end - start, pitch) for start, end, pitch in sorted(notes))
    return tunes.code([Bar("1", Fraction(length), events)], strict=True)[0]


def highest(notes: Iterable[Note]) -> list[Note]:
    """The upper line of notes that may overlap: of those that start together the highest, and while it sounds
    only what lies above it; a note ends where the next one kept begins."""
    line: list[Note] = []
    for start, end, pitch in sorted(notes, key=lambda note: (note[0], -note[2])):
        if line and line[-1][0] == start:
            continue
        if line and line[-1][1] > start:
            if line[-1][2] > pitch and line[-1][1] >= end:
                continue
            line[-1] = (line[-1][0], start, line[-1][2])
        line.append((start, end, pitch))
    return line


def _snapped(notes: Sequence[Note]) -> list[Note]:
    return [(_on_grid(start), _on_grid(end), pitch) for start, end, pitch in notes]


def _on_grid(time: Fraction) -> Fraction:
    """The nearest time of the grid: sixteenths and triplets of a quarter note."""
    beat = time // 1
    return beat + min((*music.GRID, Fraction(1)), key=lambda offset: abs(offset - (time - beat)))


def _content(path: Path) -> bytes:
    """The bytes of a file of a melody's size; EditError where there is none or it is too large."""
    try:
        return scores.read_file(path)
    except TuneError as error:
        raise EditError(f"{path.name}: {error.detail}") from error


def _text(path: Path) -> str:
    try:
        return _content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EditError(f"{path.name}: the text is not UTF-8 ({error}): save it as UTF-8") from error


def _one_tune(path: Path, number: str) -> str:
    if path.suffix.lower() != ".abc":
        raise EditError(f"{path.name}: --tune is for ABC files with several tunes")
    found = list(abc_notation.tunes(_text(path)))
    numbers = [abc_notation.field(text, "X") or str(place) for place, text in enumerate(found, 1)]
    if number not in numbers:
        raise EditError(f"{path.name} has no tune {number}: it has {', '.join(numbers[:40])}")
    return found[numbers.index(number)]


def _parts(path: Path, tune: str | None) -> list[Any]:
    """The parts of a file as music21 reads them, nothing rounded to a grid."""
    from music21 import converter, exceptions21, stream

    content = _content(path)
    try:
        if path.suffix.lower() == ".abc":
            whole = converter.parseData(_one_tune(path, tune) if tune else _text(path), format="abc")
        elif path.suffix.lower() in (".mid", ".midi"):
            _check_length(content, path)
            whole = converter.parseData(content, format="midi", quantizePost=False)
        else:
            whole = musicxml.whole(content)
    except EditError:
        raise
    except TuneError as error:
        raise EditError(f"{path.name} cannot be read ({error.detail}): export it again") from error
    except (exceptions21.Music21Exception, *_BROKEN) as error:
        raise EditError(f"{path.name} cannot be read ({error}): export it again") from error
    if isinstance(whole, stream.Opus):
        raise EditError(f"{path.name} holds {len(whole.scores)} tunes: choose one with --tune N")
    return list(whole.parts) or [whole]


def _check_length(content: bytes, path: Path) -> None:
    """EditError for a MIDI file that lasts too long: music21 would make every measure of its silence."""
    from music21 import midi

    file = midi.MidiFile()
    file.readstr(content)
    ticks = max(sum(e.time for e in track.events if e.isDeltaTime()) for track in file.tracks)
    count = ticks // (4 * file.ticksPerQuarterNote) + 1
    if count > LONGEST:
        raise EditError(f"{path.name} lasts {count:,} measures, a melody has at most {LONGEST:,}: cut it")


def _choose(parts: Sequence[Any], wanted: str | None, path: Path) -> Any:
    names = [str(part.partName or f"part {place}") for place, part in enumerate(parts, 1)]
    if wanted is None and len(parts) == 1:
        return parts[0]
    listed = ", ".join(f"{place} ({name})" for place, name in enumerate(names, 1))
    if wanted is None:
        raise EditError(f"{path.name} has {len(parts)} parts: choose one with --part, of {listed}")
    same = [place for place, name in enumerate(names) if name.lower() == wanted.lower()]
    if wanted.isdecimal() and 1 <= int(wanted) <= len(parts):
        return parts[int(wanted) - 1]
    if len(same) == 1:
        return parts[same[0]]
    raise EditError(f"{path.name} has no one part {wanted!r}: choose of {listed}")


def _notes(part: Any) -> list[Note]:
    """The notes of a part, repeats expanded where music21 can, a pick-up moved to the end of the first
    measure."""
    from music21 import meter, repeat, stream

    metres = {sign.ratioString for sign in part.recurse().getElementsByClass(meter.TimeSignature)}
    if not metres <= {"4/4", "2/2"}:
        raise TuneError(
            tunes.OTHER_METRE, f"the part has metre {', '.join(sorted(metres))}, needed is 4/4 or 2/2"
        )
    # An odd mixture of repeat signs, or a part without measures: as written, once.
    with contextlib.suppress(repeat.ExpanderException, AttributeError):
        part = part.expandRepeats()
    measures = list(part.getElementsByClass(stream.Measure))
    first = tunes.quarters(measures[0].highestTime) if measures else Fraction(4)
    lead = 4 - first if len(measures) > 1 and first < 4 else Fraction(0)
    for measure in measures[1:-1]:
        start, length = tunes.quarters(measure.offset) + lead, tunes.quarters(measure.highestTime)
        if length == 4 and start % 4:
            raise TuneError(
                tunes.IRREGULAR, f"bar {measure.number} does not start where a measure of 4/4 should"
            )
    notes = []
    for element in part.stripTies().flatten().notes:
        start, length = tunes.quarters(element.offset) + lead, tunes.quarters(element.duration.quarterLength)
        if length > 0:
            notes += [(start, start + length, pitch.midi) for pitch in element.pitches]
    return notes
