"""dMelodies: every combination of nine factors of a melody of two bars, 1,354,752 melodies.

Pati, Gururani & Lerch, "dMelodies: A Music Dataset for Disentanglement Learning" (ISMIR 2020), drawn from the
paper's factors, not from the authors' files. Chosen here, and perhaps other than theirs: the notes of the
scales (SCALES), the order of the rhythms (RHYTHMS), and the rest before a first note that comes late.
"""

import itertools
from pathlib import Path

import numpy as np

from arvae.datasets.catalogue import Sizes
from arvae.datasets.combinations import checked, factors_of
from arvae.datasets.contract import BATCH, Dataset, Split, choose, shares
from arvae.music.coding import BEATS, CONTINUE, REST, TICKS, Vocabulary
from arvae.progress import Log

FACTS = {
    "kind": "music",
    "sources": ("drawn",),
    "attributes": {
        "tonic": ("st", "semitones of the tonic above C"),
        "octave": ("", "octave of the tonic: 4, 5 or 6"),
        "mode": ("class", "the scale: major, harmonic minor or blues, as 0, 1, 2"),
        "rhythm 1": ("", "rhythm of the first bar, one of 28, from early notes to late ones"),
        "rhythm 2": ("", "the same of the second bar"),
        "arpeggio 1": ("", "the first chord, I, goes down (0) or up (1)"),
        "arpeggio 2": ("", "the same of the second chord, IV"),
        "arpeggio 3": ("", "the same of the third chord, V"),
        "arpeggio 4": ("", "the same of the last chord, I"),
    },
    "kinds": {
        "mode": "discrete",
        "rhythm 1": "discrete",
        "rhythm 2": "discrete",
        "arpeggio 1": "discrete",
        "arpeggio 2": "discrete",
        "arpeggio 3": "discrete",
        "arpeggio 4": "discrete",
    },
    "about": """
**dMelodies** (Pati, Gururani, Lerch 2020) holds melodies of two bars in every combination of nine factors:
12 tonics x 3 octaves x 3 modes x 28 rhythms of each bar x 2 directions of each of four chords, 1,354,752
melodies. A bar has eight eighths, on six of which a note begins. The twelve notes are the chords I, IV, V
and I, three notes each, upwards or downwards. As in dSprites the factors are independent, and each can be
read off the melody again: ground truth for music. It is written here in halved note values, the two bars as
one measure in sixteenths, which fill 16 of its 24 ticks.

The rhythms have no order of their own; here they are numbered from early notes to late ones. The mode is a
category without a meaningful order; the notes of the blues scale are our choice: the major scale
with lowered third, fifth and seventh. The tonic is not circular: within an octave, B is far from C.
""",
}
NAMES = tuple(FACTS["attributes"])
UNITS = tuple(unit for unit, _ in FACTS["attributes"].values())
COUNTS = (12, 3, 3, 28, 28, 2, 2, 2, 2)  # values of each factor; the last varies fastest
TOTAL = int(np.prod(COUNTS))
FIRST = np.array([0, 4, 0, 0, 0, 0, 0, 0, 0])  # the least value of each
#: Semitones above the tonic. Blues: the major scale with lowered third, fifth and seventh, so that it has
#: seven tones like the others and its chords are made like theirs.
SCALES = np.array([(0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11), (0, 2, 3, 5, 6, 9, 10)])
DEGREES = np.array([(0, 2, 4), (3, 5, 7), (4, 6, 8), (0, 2, 4)])  # of the chords I, IV, V, I, from 0
#: (3, 4, 3): the chords' notes in each mode, upwards, in semitones above the tonic.
CHORDS = np.concatenate([SCALES, SCALES + 12], axis=1)[:, DEGREES]
#: (28, 8): the eighths of a bar on which a note begins, ordered by the sum of their places, then the first.
RHYTHMS = np.array(
    [
        np.isin(range(8), places)
        for places in sorted(itertools.combinations(range(8), 6), key=lambda places: (sum(places), places))
    ]
)
#: The ticks that the 16 eighths fall on: those of the sixteenths of a measure.
EIGHTHS = np.array([TICKS // BEATS * beat + tick for beat in range(BEATS) for tick in (0, 1, 3, 5)])
LEAST_RIGHT = 9  # of twelve notes: with fewer in common a melody is not said to be in a key
VOCABULARY = Vocabulary(12 * 5, 12 * 7 + 11 + int(CHORDS.max()))
SEED = 0  # of the split

_KEYS = np.stack(np.unravel_index(np.arange(12 * 3 * 3), (12, 3, 3)), axis=1)  # tonic, octave, mode
_NUMBER = np.full(256, np.nan)  # of the rhythm whose onsets are the bits of a number
_NUMBER[np.packbits(RHYTHMS, axis=1)[:, 0]] = np.arange(len(RHYTHMS))


def draw(factors: np.ndarray) -> np.ndarray:
    """Melodies int16 (n, 24), coded as `arvae.music.coding` says, of factors' indices, int (n, 9) from 0.

    Before the first note there is a rest, everywhere else the note goes on. DataError names an index outside.
    """
    factors = checked(factors, COUNTS, NAMES, "melody")
    notes = _chords(factors)  # (n, 4, 3), upwards
    notes = np.where(factors[:, 5:, None] == 1, notes, notes[..., ::-1])
    onsets = RHYTHMS[factors[:, 3:5]].reshape(-1, 16)  # twelve in each row
    eighths = np.full(onsets.shape, CONTINUE, np.int16)
    eighths[~onsets[:, 0], 0] = REST
    eighths[onsets] = notes.ravel()
    melodies = np.full((len(factors), TICKS), CONTINUE, np.int16)
    melodies[:, EIGHTHS] = eighths
    return melodies


def attributes(factors: np.ndarray) -> np.ndarray:
    """Attribute values float32 (n, 9) of factors' indices (n, 9): the octave from 4, else as they are."""
    return (checked(factors, COUNTS, NAMES, "melody") + FIRST).astype(np.float32)


def read(melodies: np.ndarray) -> np.ndarray:
    """The attributes of melodies int (n, 24), read off their notes: float32 (n, 9), NaN where one cannot be.

    The inverse of `draw`, and lenient with what a decoder writes. A bar's rhythm is known where it is one of
    the 28, with nothing on other ticks; the direction of its chords, from the first note to the third, where
    its rhythm is; tonic, octave and mode where both bars' are, and one key has most of the twelve notes, at
    least LEAST_RIGHT, each in its chord.
    """
    parts = [_read(np.asarray(melodies[i : i + BATCH])) for i in range(0, len(melodies), BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, len(NAMES)), np.float32)


def _read(melodies: np.ndarray) -> np.ndarray:
    found = np.full((len(melodies), len(NAMES)), np.nan, np.float32)
    starts = melodies >= 0
    rhythm = _NUMBER[np.packbits(starts[:, EIGHTHS].reshape(-1, 2, 8), axis=2)[..., 0]]
    rhythm[np.delete(starts, EIGHTHS, axis=1).reshape(len(melodies), 2, -1).any(axis=2)] = np.nan
    found[:, 3:5] = rhythm
    known = np.isfinite(rhythm)
    for bar, ticks in enumerate(np.split(EIGHTHS, 2)):
        rows = np.flatnonzero(known[:, bar])
        notes = melodies[rows[:, None], ticks]
        notes = notes[notes >= 0].reshape(-1, 2, 3)
        rise = notes[..., 2] - notes[..., 0]
        found[rows, 5 + 2 * bar : 7 + 2 * bar] = np.where(rise == 0, np.nan, rise > 0)
    whole = np.flatnonzero(known.all(axis=1))
    notes = melodies[whole][:, EIGHTHS]
    notes = np.sort(notes[notes >= 0].reshape(-1, 1, 4, 3), axis=-1)
    right = (notes == _chords(_KEYS)).sum(axis=(2, 3))  # (m, 108)
    best, most = right.argmax(axis=1), right.max(axis=1)
    sure = (most >= LEAST_RIGHT) & ((right == most[:, None]).sum(axis=1) == 1)
    found[whole[sure], :3] = _KEYS[best[sure]] + FIRST[:3]
    return found


def prepare(sizes: Sizes, source: str, raw: Path, cache: Path, log: Log = print) -> Dataset:
    """Split all combinations 70 / 10 / 20 % by a fixed shuffle, take `sizes` of each, and draw them."""
    splits = {}
    for part, places in shares(TOTAL, {}, SEED, "dmelodies").items():
        taken = places[choose(len(places), sizes.get(part), SEED, f"melodies of dmelodies ({part})")]
        factors = factors_of(taken, COUNTS)
        splits[part] = Split(draw(factors), attributes(factors))
        log(f"dmelodies, {part}: {len(taken):,} of {len(places):,} melodies drawn")
    return Dataset(
        name="dmelodies",
        kind="music",
        attribute_names=NAMES,
        attribute_units=UNITS,
        vocabulary=VOCABULARY,
        provenance={
            "title": "dMelodies: melodies of two bars, every combination of nine factors",
            "source": "drawn",
            "licence": "drawn here from the published factors",
            "citation": "Pati, Gururani, Lerch: dMelodies, ISMIR 2020",
            "split": f"70 / 10 / 20 % of all {TOTAL:,} combinations, shuffled with seed {SEED}",
            "scales in semitones above the tonic": SCALES.tolist(),
        },
        **splits,
    )


def _chords(factors: np.ndarray) -> np.ndarray:
    """The chords' notes, upwards, as MIDI pitches int16 (n, 4, 3), of tonic, octave, mode (n, 3 or more)."""
    tonic, octave, mode = factors[:, :3].T
    return ((12 * (octave + FIRST[1] + 1) + tonic)[:, None, None] + CHORDS[mode]).astype(np.int16)
