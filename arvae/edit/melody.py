"""A melody from a file, ready to be edited, and back to a file. What does not fit is refused with what to do
about it; what can be made to fit is made so only when asked for: one part of several, the highest voice, the
range, the grid.
"""

import dataclasses
import textwrap
from collections.abc import Collection
from pathlib import Path

import numpy as np

from arvae.edit.faults import EditError
from arvae.edit.wishes import span
from arvae.files import write_bytes
from arvae.music import abc, audio, files, grid, keys, notation, patch_abc, patch_midi, patch_musicxml
from arvae.music import coding as music
from arvae.music.beside import Beside, beside_of
from arvae.music.coding import CONTINUE, REST
from arvae.music.grid import layout
from arvae.music.keys import Key
from arvae.music.notation import MEASURE
from arvae.music.rewriting import UnkeptError, rewritten
from arvae.music.score import Part, Score, TuneError
from arvae.music.write_musicxml import packed

MONOPHONIC = "--monophonic keeps the highest note where several sound"
_NEAR = 1 / 48  # quarter notes: onsets this close to the grid are on it
QUANTIZE = "--quantize moves every onset to the nearest sixteenth or triplet"
PART = "--part N chooses one, by its number or name"
REKEYED = "the key changes in measure {}; --in-key keeps to {}: choose --measures before it, or --key"
FILLED = "incomplete bars are written as full ones: {}"
JUMPS = "read once, as it is written: D.C. and D.S. are not followed"
TUNE = "--tune N chooses one, by its X: number or its title"
KEY = "write a note A to G, with # or b, and unless it is major m, dor, phr, lyd, mix or loc (F#m, D mix)"


@dataclasses.dataclass(frozen=True, eq=False)
class Melody:
    """A melody: measures int16 (n, 24) as the model reads them; title: its title, else the file's name.

    shift: by how many semitones they were moved to fit the model's range; adapted: what was done to it, in
    words; transpose: by how many semitones its instrument sounds higher than it is written; key: its key
    signature, as written (None: estimated); source: what it was read from; rekeyed: the first measure with
    another key signature (0: none, or a key was asked for).
    """

    measures: np.ndarray
    title: str
    shift: int = 0
    adapted: tuple[str, ...] = ()
    transpose: int = 0
    key: Key | None = None
    source: "Source | None" = None
    rekeyed: int = 0

    def __post_init__(self) -> None:
        if self.key is None:
            written = music.transpose(self.measures, -self.shift - self.transpose)
            object.__setattr__(self, "key", keys.estimate(written))

    @property
    def scale(self) -> frozenset[int]:
        """The pitch classes of its key, as the model reads them."""
        moved = self.shift + self.transpose
        return frozenset((p + moved) % 12 for p in self.key.scale(self.measures[self.measures >= 0] - moved))

    def in_key(self, only: Collection[int] = ()) -> str:
        """Which key that is, whether it is estimated, how the tune itself keeps to it, and whether it changes
        before the last of the measures that are edited (none: all), in words."""
        how = ", estimated from its notes" if self.key.estimated else ""
        outside, notes = keys.outside(self.measures, self.scale)
        changes = self.rekeyed and self.rekeyed <= max(only, default=self.rekeyed)
        note = f"; {REKEYED.format(self.rekeyed, self.key)}" if changes else ""
        return f"key: {self.key}{how}; {outside} of its own {notes} notes lie outside the scale{note}"

    def written(self, measures: np.ndarray) -> np.ndarray:
        """Measures of this melody, edited or not, in the key it came in.

        A measure that was not edited keeps its notes: where one is held into it that no longer sounds before
        it, it starts with that note.
        """
        kept = measures.copy()
        for place in range(1, min(len(kept), len(self.measures))):
            held = kept[place, 0] == CONTINUE and (kept[place] == self.measures[place]).all()
            if held and (note := _last(self.measures[:place])) != _last(kept[:place]):
                kept[place, 0] = note
        return music.transpose(kept, -self.shift)

    def render(self, ending: str, measures: np.ndarray, tempo: float | None = None) -> tuple[bytes, str]:
        """Measures, edited or not, as the bytes of a file with one of the endings `files.WRITTEN`, in the key
        the melody came in; and what of the file it was read from that keeps, in words.

        tempo: quarter notes a minute; None: as the file has it.
        """
        ending, wanted, source = ending.lower(), self.written(measures), self.source
        composer, given = (source.score.composer, source.score.tempo) if source else ("", None)
        sound = ending in audio.FORMATS
        kept = "tempo" if sound else "title, composer, tempo, key, chord symbols, lyrics, repeats"
        if ending in files.MIDI:
            kept = "lyrics, title, tempo" if self.transpose else "lyrics, chord symbols, title, tempo, key"
        there = source.beside() if source else {}
        names = [one for one in kept.split(", ") if there.get(one) and (one != "tempo" or not tempo)]
        kept = ", ".join(one + " (the first)" * bool(there.get(f"{one} changes")) for one in names)
        if source and ending in source.family:
            try:
                before = music.transpose(self.measures, -self.shift)
                changed = "the tempo and " * bool(tempo) + "the edited notes with their ornaments and slurs"
                return source.patched(before, wanted, ending, tempo), f"all but {changed}"
            except ValueError as error:  # UnkeptError, TuneError, or what no reader looked at is no number
                kept = f"{kept or 'nothing'}: what else is in the file cannot be kept ({error})"
        if source and not sound and (filled := source.filled(len(measures))):
            listed = textwrap.shorten(span(filled), 60, placeholder=" ...")
            kept = f"{kept or 'nothing'}; {FILLED.format(listed)}"
        try:
            signs = beside_of(source.score.parts[source.place]) if source else {}
            how = self.title, tempo or given, self.transpose, self.key, composer, signs
            return files.render(ending, wanted, *how), kept
        except ValueError as error:
            raise EditError(str(error)) from error

    def save(self, path: Path | str, measures: np.ndarray, tempo: float | None = None) -> Path:
        """Write what `render` gives for the ending of the path; returns it."""
        write_bytes(path, self.render(Path(path).suffix, measures, tempo)[0])
        return Path(path)


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """What a melody was read from: the file's bytes, its ending, which tune and part of it, and how it was
    adapted (monophonic, quantize)."""

    content: bytes
    ending: str
    tune: str | None
    place: int
    score: Score
    options: tuple[bool, bool]

    @property
    def family(self) -> tuple[str, ...]:
        """The endings of its format."""
        return next(family for family in (files.MIDI, files.MUSICXML, files.ABC) if self.ending in family)

    def beside(self) -> dict[str, object]:
        """What the file holds beside the notes that other formats can keep, by its name; what changes."""
        part = self.score.parts[self.place]
        signs = part.signs
        return {
            "title": self.score.title, "composer": self.score.composer, "tempo": self.score.tempo,
            "key": part.key, "chord symbols": signs.chords, "lyrics": signs.lyrics,
            "repeats": signs.opens or signs.closes or signs.endings,
            "tempo changes": self.score.varied, "key changes": signs.keys,
        }  # fmt: skip

    def filled(self, count: int) -> list[int]:
        """The measures, from 1, of `count` that the part's bars do not fill as they are written."""
        laid = layout(self.score.parts[self.place])
        edges = [0, *(edge for _, *bar in laid for edge in bar), count * MEASURE]
        gaps = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]
        return sorted({m + 1 for start, end in gaps for m in range(start // MEASURE, -(-end // MEASURE))})

    def patched(self, before: np.ndarray, after: np.ndarray, ending: str, tempo: float | None) -> bytes:
        """The file, with another ending of its format, with measures `after` for `before`, as they sound, and
        another tempo (None: its own); later ones change with it. UnkeptError where it cannot be."""
        part = self.score.parts[self.place]
        bars, pace = rewritten(part, before, after), tempo and (tempo, self.score.tempo)
        if self.family is files.ABC:
            tune = files.tune_of(self.content, self.tune)
            content = patch_abc.patch(tune, self.place, bars, pace).encode()
        elif self.family is files.MUSICXML:
            content = packed(patch_musicxml.patch(self.content, self.place, bars, pace), ending)
        else:
            content = patch_midi.patch(self.content, self.place, part, bars, after, pace)
        score = files.read_score(content, self.ending)
        again = score.parts
        if tempo and abs((score.tempo or 0) / tempo - 1) > 0.01:
            raise UnkeptError("its tempo is not written in numbers")
        if len(again) != len(self.score.parts):
            raise UnkeptError("the part would have no notes")
        if notation.notes(grid.measures(again[self.place], *self.options)) != notation.notes(after):
            raise UnkeptError("they would be read differently")
        sung, now = beside_of(part), beside_of(again[self.place])
        kept = np.flatnonzero((before == after).all(axis=1)).tolist()
        if any(sung.get(m, Beside()).lyrics != now.get(m, Beside()).lyrics for m in kept):
            raise UnkeptError("syllables of other measures would move")
        return content


def _last(measures: np.ndarray) -> int:
    """What sounds at the end of measures (n, 24): the last symbol that is not CONTINUE."""
    started = measures[measures != CONTINUE]
    return int(started[-1]) if started.size else REST


def read(
    path: Path | str,
    vocabulary: music.Vocabulary,
    part: str | None = None,
    tune: str | None = None,
    monophonic: bool = False,
    transpose: bool = False,
    quantize: bool = False,
    key: str | None = None,
) -> Melody:
    """A melody from a MIDI, MusicXML or ABC file: one voice, 4/4, onsets on the grid, within the vocabulary's
    range. The options change nothing in a file that does not need them.

    Args:
        part: the part of a score or track of a MIDI file, by number from 1 or by name.
        tune: the tune of an ABC file with several, by its X: number or its title.
        monophonic: keep the highest note where several sound.
        quantize: move onsets to the grid.
        transpose: move the melody into the range.
        key: its key, as ABC writes it ("G", "Em", "D mix"); None: as the file says, or estimated.

    Raises:
        EditError: for what does not fit and was not asked to be adapted, with the option that would.
    """
    path, adapted = Path(path), []
    ending = path.suffix.lower()
    try:
        signature = None if key is None else abc.read_key(key)
    except TuneError as error:
        raise EditError(f"--key {key!r} is no key: {KEY}") from error
    try:
        content = files.read_file(path)
        if tune is not None and ending not in files.ABC:
            raise EditError(f"{path.name}: --tune is for ABC files with several tunes")
        whole = files.read_score(content, ending, tune)
        chosen = files.choose(whole, part)
        measures = _measures(chosen, monophonic, quantize)
        signature = chosen.key if key is None else signature
    except TuneError as error:
        hints = {files.PARTS: PART if part is None else "", files.TUNES: TUNE if tune is None else ""}
        hint = hints.get(error.reason)
        raise EditError(f"{path.name}: {error}{f'. {hint}' if hint else ''}") from error
    if part is not None:
        adapted.append(f"part {chosen.name or part} of the score")
    if chosen.signs.jumps:
        adapted.append(JUMPS)
    if quantize:
        adapted.append(f"{_moved(chosen)} of {len(chosen.notes)} onsets moved to the grid")
    if monophonic:
        adapted.append(f"highest voice: {(measures >= 0).sum()} of {len(chosen.notes)} notes kept")
    shift = _shift(measures, vocabulary, transpose, path.name)
    if shift:
        adapted.append(f"moved by {shift:+d} semitones into the model's range, and back in what is written")
    place = next(place for place, one in enumerate(whole.parts) if one is chosen)
    source = Source(content, ending, tune, place, whole, (monophonic, quantize))
    measures, title = music.transpose(measures, shift), whole.title or path.stem
    rekeyed = 0 if key else next((m + 1 for m, own in sorted(beside_of(chosen).items()) if own.keys), 0)
    return Melody(measures, title, shift, tuple(adapted), chosen.transpose, signature, source, rekeyed)


def _measures(part: Part, monophonic: bool, quantize: bool) -> np.ndarray:
    """The measures of a part. TuneError with the options, of those not given, by which it would be read."""
    try:
        return grid.measures(part, monophonic, quantize)
    except TuneError as error:
        for more in ((True, quantize), (monophonic, True), (True, True)):
            try:
                grid.measures(part, *more)
            except TuneError:
                continue
            asked = [MONOPHONIC] * (more[0] > monophonic) + [QUANTIZE] * (more[1] > quantize)
            raise TuneError(error.reason, f"{error.detail}. {' and '.join(asked)}") from error
        raise


def _moved(part: Part) -> int:
    """How many onsets lie off the sixteenths and triplets."""
    lead = -part.bars[0].length % 1  # a pick-up ends on a beat
    beats = [float((note.start + lead) % 1) for note in part.notes]
    grid = np.array([*map(float, music.GRID), 1.0])
    return int((np.abs(np.array(beats)[:, None] - grid).min(axis=1) > _NEAR).sum())


def _shift(measures: np.ndarray, vocabulary: music.Vocabulary, transpose: bool, name: str) -> int:
    """By how many semitones the melody is to be moved: 0 where it fits; octaves before others. EditError if
    not asked."""
    low, high = vocabulary.lowest, vocabulary.highest
    pitches = measures[measures >= 0]
    if low <= pitches.min() <= pitches.max() <= high:
        return 0
    lowest, highest = (music.pitch_name(int(pitch)) for pitch in (pitches.min(), pitches.max()))
    found = f"{name}: the melody goes from {lowest} to {highest}, the model knows {music.pitch_name(low)} to "
    found += f"{music.pitch_name(high)} (MIDI {low}-{high})"
    shifts = music.transpositions(measures, low, high)
    if not shifts:
        raise EditError(f"{found}: too wide to be moved into it; edit a narrower part of it")
    if not transpose:
        raise EditError(f"{found}. --transpose moves it into the range, edits it there, and moves it back")
    return min(shifts, key=lambda shift: (shift % 12 != 0, abs(shift)))
