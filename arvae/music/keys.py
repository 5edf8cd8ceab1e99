"""The key of a tune: as its file gives it, or estimated; which notes its scale has, and how they are spelled.

Estimated by the method of Krumhansl and Schmuckler: how long each of the twelve pitch classes sounds,
correlated with the profiles that listeners gave to major and minor (Krumhansl & Kessler 1982).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from arvae.music.coding import CONTINUE
from arvae.music.notation import POSITIONS

STEPS = "CDEFGAB"
SEMITONES = dict(zip(STEPS, (0, 2, 4, 5, 7, 9, 11), strict=True))
FIFTHS = "FCGDAEB"  # the order in which sharps are added
#: How many fifths above the tonic of the major key with the same signature a mode's own tonic lies.
MODES = {
    "major": 0, "mixolydian": 1, "dorian": 2, "minor": 3, "phrygian": 4, "locrian": 5, "lydian": -1,
}  # fmt: skip
_SIGNS = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}
#: Profiles of C major and C minor (Krumhansl & Kessler 1982, Psychological Review 89).
PROFILES = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)


def sharps(tonic: str, mode: str = "major") -> int:
    """How many sharps (flats: negative) the key of that tonic and mode has."""
    return FIFTHS.index(tonic[0]) - 1 + 7 * (tonic.count("#") - tonic.count("b")) - MODES[mode]


def altered(fifths: int) -> tuple[int, ...]:
    """By how many semitones so many sharps (flats: negative) alter each of STEPS."""
    return tuple((fifths + 6 - FIFTHS.index(step)) // 7 for step in STEPS)


@dataclass(frozen=True, slots=True)
class Key:
    """A key signature, as it is written: by how many semitones it alters each of STEPS, 0 to 6; tonic and
    mode, "" where they are not known; estimated: from the notes."""

    alters: tuple[int, ...]
    tonic: str = ""
    mode: str = ""
    estimated: bool = False

    @classmethod
    def of(cls, fifths: int, mode: str = "", estimated: bool = False) -> Self:
        """The key with so many sharps (flats: negative). Raises ValueError beyond seven, KeyError for a mode
        that is none of MODES (or "")."""
        if not -7 <= fifths <= 7:
            raise ValueError(f"a key signature of {fifths} sharps: there are at most 7")
        if not mode:
            return cls(altered(fifths), estimated=estimated)
        signs, place = divmod(fifths + 1 + MODES[mode], 7)
        return cls(altered(fifths), FIFTHS[place] + "#b"[signs < 0] * abs(signs), mode, estimated)

    @property
    def fifths(self) -> int:
        """How many sharps are written (flats: negative)."""
        return max(-7, min(7, sum(self.alters)))

    def __str__(self) -> str:
        count = abs(self.fifths)
        signature = f"{count} {'sharp' if self.fifths > 0 else 'flat'}{'s' * (count > 1)}" if count else ""
        changed = [step + _SIGNS.get(alter, "") for step, alter in self.changed]
        name = f"{self.tonic} {self.mode}" if self.tonic else signature or "no sharps or flats"
        return f"{name} with {', '.join(changed)}" if changed else name

    @property
    def changed(self) -> list[tuple[str, int]]:
        """The steps, with their alteration, that the key of that tonic and mode (or of that many sharps) has
        otherwise."""
        usual = altered(sharps(self.tonic, self.mode) if self.tonic else self.fifths)
        return [(step, own) for step, own, by in zip(STEPS, self.alters, usual, strict=True) if own != by]

    def scale(self, pitches: Iterable[int] = ()) -> frozenset[int]:
        """Its pitch classes, 0 (C) to 11: the seven of the signature and, in minor, the raised seventh where
        the tune, whose `pitches` these are, has it."""
        own = {(SEMITONES[step] + alter) % 12 for step, alter in zip(STEPS, self.alters, strict=True)}
        if self.mode == "minor":
            leading = (SEMITONES[self.tonic[0]] + self.tonic.count("#") - self.tonic.count("b") - 1) % 12
            own |= {leading} & {int(pitch) % 12 for pitch in pitches}
        return frozenset(own)

    def spell(self, pitch: int) -> tuple[str, int, int]:
        """A MIDI pitch as (step, alteration, octave): as the signature has it, else as in C major, where what
        it lacks is written C sharp, E flat, F sharp, G sharp, B flat."""
        choices = {}
        for step, usual in zip(STEPS, self.alters, strict=True):
            alter = (pitch - SEMITONES[step] + 6) % 12 - 6
            if abs(alter) <= 1 or alter == usual:
                place = FIFTHS.index(step) - 1 + 7 * alter
                choices[alter != usual, abs(place - self.fifths - 2.5), step] = alter
        (_, _, step), alter = min(choices.items())
        return step, alter, (pitch - alter) // 12 - 1


def estimate(measures: np.ndarray) -> Key:
    """The major or minor key whose profile goes best with how long each pitch class sounds in (n, 24).

    Of equally good ones the first, major before minor, from C upwards; C major where nothing sounds.
    """
    symbols = measures.reshape(-1)
    ticks = np.arange(len(symbols))
    sounding = symbols[np.maximum.accumulate(np.where(symbols != CONTINUE, ticks, 0))]
    lengths = np.tile(np.diff(POSITIONS), len(measures))
    heard = sounding >= 0
    weights = np.bincount(sounding[heard] % 12, lengths[heard], 12)
    if np.ptp(weights) == 0:
        return Key.of(0, "major", estimated=True)
    profiles = [np.roll(profile, tonic) for profile in PROFILES for tonic in range(12)]
    minor, tonic = divmod(int(np.argmax(np.corrcoef(weights, profiles)[0, 1:].round(9))), 12)
    fifths = (7 * (tonic + 3 * minor) + 5) % 12 - 5  # -5 (D flat major) to 6 (F sharp major)
    return Key.of(fifths, "minor" if minor else "major", estimated=True)


def outside(measures: np.ndarray, scale: Iterable[int]) -> tuple[int, int]:
    """How many notes of measures (n, 24) are outside a scale (pitch classes), and how many there are."""
    notes = measures[measures >= 0]
    return int((~np.isin(notes % 12, list(scale))).sum()), len(notes)
