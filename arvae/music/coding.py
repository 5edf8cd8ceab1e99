"""Measures as symbols on a grid: their coding, their four attributes, their transpositions, their split.

A 4/4 measure is 24 ticks, 6 unevenly spaced ticks a beat, so that sixteenths and triplets both fall on
the grid (Pati & Lerch 2020, section 4.1.2). A tick holds a MIDI pitch where a note starts (its onset),
or CONTINUE (the note or rest before goes on), REST (a rest starts), START or END (padding).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:  # torch is imported where it is used: the processes that parse tunes do without
    import torch

BEATS = 4
#: Where the 6 ticks of a beat lie, in beats.
GRID = tuple(Fraction(n, 12) for n in (0, 3, 4, 6, 8, 9))
TICKS = BEATS * len(GRID)

CONTINUE, REST, START, END = -1, -2, -3, -4
LOWEST, HIGHEST = 55, 84

ATTRIBUTE_NAMES = ("rhythmic complexity", "pitch range", "note density", "contour")
ATTRIBUTE_UNITS = ("", "", "", "")  # shares: of the weight, of 26 semitones, of the ticks, of 26 semitones

_SEMITONES = 26
#: Rows at a time. On a CPU so few that torch does not split the work over threads, which wait for each other
#: on a busy machine, and that the intermediate arrays stay in the cache.
_CPU_CHUNK, _CHUNK = 1 << 10, 1 << 18
_BEAT_WEIGHTS = (0.20, 0.67, 0.25, 0.67)
#: The 24 ticks' weights: low on strong beats, high between them, highest on triplets.
WEIGHTS = tuple(w for beat in _BEAT_WEIGHTS for w in (beat, 1.0, 2.0, 0.5, 2.0, 1.0))

Array = TypeVar("Array", np.ndarray, "torch.Tensor")


def attributes(measures: Array) -> Array:
    """The four attributes of each measure (Pati & Lerch 2020, section 4.1.3), ordered as ATTRIBUTE_NAMES.

    `measures`: integers (n, 24) as coded above, numpy or torch on any device. Returns float32 (n, 4) of the
    same kind, on the same device: rhythmic complexity = weight of the onset ticks / weight of all ticks;
    pitch range = (highest - lowest pitch) / 26; note density = onsets / 24; contour = (last - first
    pitch) / 26. Range and contour are 0 with fewer than two onsets. Raises ValueError on another shape, on
    floating-point input and on a value that is no symbol.
    """
    import torch

    if isinstance(measures, torch.Tensor):
        check(measures)
        parts = [
            _attributes(part)
            for part in measures.split(_CPU_CHUNK if measures.device.type == "cpu" else _CHUNK)
        ]
        return torch.cat(parts) if parts else measures.new_zeros((0, 4), dtype=torch.float32)
    measures = np.asarray(measures)
    check(measures)
    return attributes(torch.from_numpy(np.ascontiguousarray(measures, dtype=np.int16))).numpy()


def _attributes(measures: "torch.Tensor") -> "torch.Tensor":
    """Rows of (n, 24) -> (n, 4); a product and a sum, not a matrix product, which some devices round."""
    import torch

    pitch = measures.to(torch.int32)
    onset = pitch >= 0
    count = onset.sum(1)
    weights = torch.tensor(WEIGHTS, dtype=torch.float32, device=measures.device)
    complexity = (onset * weights).sum(1) / sum(WEIGHTS)
    highest = pitch.masked_fill(~onset, -1000).amax(1)
    lowest = pitch.masked_fill(~onset, 1000).amin(1)
    tick = torch.arange(TICKS, dtype=torch.int32, device=measures.device)
    first = pitch.gather(1, (~onset * TICKS + tick).argmin(1, keepdim=True)).squeeze(1)
    last = pitch.gather(1, (onset * TICKS + tick).argmax(1, keepdim=True)).squeeze(1)
    several = count >= 2
    spread = (highest - lowest) * several / _SEMITONES
    contour = (last - first) * several / _SEMITONES
    return torch.stack([complexity, spread, count / TICKS, contour], 1).to(torch.float32)


def check(measures: "np.ndarray | torch.Tensor") -> None:
    """Raise ValueError unless `measures` is integers (n, 24) of MIDI pitches and the four other symbols."""
    if measures.ndim != 2 or measures.shape[1] != TICKS:
        raise ValueError(
            f"measures have shape {tuple(measures.shape)}, needed is (n, {TICKS}): "
            "reshape to one measure of 24 ticks a row"
        )
    if not _is_integer(measures):
        raise ValueError(
            f"measures have type {measures.dtype}, needed are integers: round them and convert to int16"
        )
    if len(measures) == 0:
        return
    low, high = int(measures.min()), int(measures.max())
    if low < END or high > 127:
        wrong = low if low < END else high
        raise ValueError(
            f"measures hold the value {wrong}, which is no symbol: use MIDI pitches 0 to 127, -1 continue, "
            "-2 rest, -3 start, -4 end"
        )


def _is_integer(array: "np.ndarray | torch.Tensor") -> bool:
    if isinstance(array, np.ndarray):
        return array.dtype.kind in "iu"
    import torch

    return not (array.is_floating_point() or array.is_complex() or array.dtype == torch.bool)


@dataclass(frozen=True)
class Vocabulary:
    """The symbols a model reads and writes: pitches, in order, then continue, rest, start, end."""

    lowest: int = LOWEST  # MIDI pitch of token 0
    highest: int = HIGHEST  # MIDI pitch of the last pitch token

    def __post_init__(self) -> None:
        if not 0 <= self.lowest <= self.highest <= 127:
            raise ValueError(
                f"vocabulary from MIDI {self.lowest} to {self.highest}: "
                "needed is 0 <= lowest <= highest <= 127"
            )

    @property
    def pitches(self) -> int:
        """How many of the tokens are pitches: tokens 0 .. pitches - 1."""
        return self.highest - self.lowest + 1

    @property
    def size(self) -> int:
        """How many symbols there are."""
        return self.pitches + 4

    @property
    def continuation(self) -> int:
        """Token of "the note or rest before goes on"."""
        return self.pitches

    @property
    def rest(self) -> int:
        """Token of the start of a rest."""
        return self.pitches + 1

    @property
    def start(self) -> int:
        """Token of padding before the music."""
        return self.pitches + 2

    @property
    def end(self) -> int:
        """Token of padding after the music."""
        return self.pitches + 3

    def symbol(self, token: int) -> str:
        """How a person reads a token: a note name with its octave, or the word for it."""
        code = int(self.decode(np.array([token]))[0])
        words = {CONTINUE: "continue", REST: "rest", START: "start", END: "end"}
        return words.get(code) or pitch_name(code)

    def encode(self, codes: Array) -> Array:
        """Codes (any shape; MIDI pitch, -1 .. -4) -> int64 tokens 0 .. size - 1 of the same shape and kind.

        Raises ValueError on a pitch outside the vocabulary and on a value that is no symbol.
        """
        if len(codes.reshape(-1)):
            pitch_out = (codes >= 0) & ((codes < self.lowest) | (codes > self.highest))
            out = pitch_out | (codes < END)
            if bool(out.any()):
                raise ValueError(
                    f"the value {int(codes[out][0])} is neither -1 .. -4 nor a MIDI pitch in "
                    f"{self.lowest} .. {self.highest}: transpose the tune into that range"
                )
        if isinstance(codes, np.ndarray):
            codes = codes.astype(np.int64)
            return np.where(codes >= 0, codes - self.lowest, self.pitches - 1 - codes)
        import torch

        codes = codes.to(torch.int64)
        return torch.where(codes >= 0, codes - self.lowest, self.pitches - 1 - codes)

    def decode(self, tokens: Array) -> Array:
        """Tokens (any shape) -> codes int16 of the same shape and kind: the inverse of `encode`.

        Raises ValueError on a token outside 0 .. size - 1.
        """
        if len(tokens.reshape(-1)):
            low, high = int(tokens.min()), int(tokens.max())
            if low < 0 or high >= self.size:
                raise ValueError(
                    f"token {low if low < 0 else high} is outside 0 .. {self.size - 1}: "
                    "it was not made with this vocabulary"
                )
        if isinstance(tokens, np.ndarray):
            tokens = tokens.astype(np.int64)
            codes = np.where(tokens < self.pitches, tokens + self.lowest, self.pitches - 1 - tokens)
            return codes.astype(np.int16)
        import torch

        tokens = tokens.to(torch.int64)
        codes = torch.where(tokens < self.pitches, tokens + self.lowest, self.pitches - 1 - tokens)
        return codes.to(torch.int16)


def pitch_name(pitch: int) -> str:
    """A MIDI pitch as a note name, sharps only: 60 is C4."""
    names = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    return f"{names[pitch % 12]}{pitch // 12 - 1}"


def transpose(measures: np.ndarray, semitones: int) -> np.ndarray:
    """Measures of any shape, every pitch raised by `semitones`; the other symbols stay."""
    return np.where(measures >= 0, measures + semitones, measures).astype(np.int16)


def transpositions(measures: np.ndarray, lowest: int = LOWEST, highest: int = HIGHEST) -> range:
    """Every number of semitones by which a whole tune (n, 24) stays within `lowest` .. `highest`.

    Empty where its range is too wide or where it has no note at all.
    """
    pitches = measures[measures >= 0]
    if pitches.size == 0:
        return range(0)
    return range(lowest - int(pitches.min()), highest - int(pitches.max()) + 1)


def split_groups(
    groups: Sequence[int], generator: np.random.Generator, shares: Sequence[float] = (0.7, 0.1, 0.2)
) -> list[np.ndarray]:
    """Divide tunes into training, validation and test; all tunes of a group come on one side.

    `groups`: for each tune the number of its group. Returns one sorted array of tune indices per share: each
    group, in random order, goes to the side that is furthest behind its share. With at least one group a
    share, no side is empty.
    """
    groups = np.asarray(groups, dtype=np.int64)
    names, sizes = np.unique(groups, return_counts=True)
    order = generator.permutation(len(names))
    filled = np.zeros(len(shares))
    side_of = np.zeros(len(names), dtype=np.int64)
    for index in order:
        side_of[index] = np.argmin(filled / np.asarray(shares))
        filled[side_of[index]] += sizes[index]
    side = side_of[np.searchsorted(names, groups)]
    return [np.flatnonzero(side == k) for k in range(len(shares))]
