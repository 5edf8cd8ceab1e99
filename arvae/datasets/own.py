"""Your own attributes: write a function here and name it in params.yaml.

    datasets:
      folk-own: {kind: music, like: folk, own: [tonal tension, syncopation]}

A data set whose entry under `networks` lists `attributes` regularizes those alone: name it there too.
`tonal tension` is the function `tonal_tension`. A function is given a batch of examples as the data set holds
them and returns one number for each: images are uint8 (m, height, width), measures of music int16 (m, 24), a
tick holding a MIDI pitch where a note starts, -1 where the note or rest before goes on, -2 where a rest
starts (see `arvae.music.coding`). It need not be differentiable: only the order of its values matters. What
the model decodes is measured by the same function. The first paragraph of its docstring is what reports say
of it, a line that begins with `Unit:` gives its unit, and one with `Kind:` that it is discrete (a class) or
circular (an angle, radians) where it is not continuous. What begins with an underscore is no attribute.
"""

import numpy as np

from arvae.music.coding import BEATS, CONTINUE, GRID, TICKS

# ------------------------------------------------------------------------------------------ tonal tension

#: How well each pitch class fits a major and a minor key, in semitones from the tonic up, as listeners judged
#: it (Krumhansl & Kessler 1982, Psychological Review 89).
_MAJOR = np.array((6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88))
_MINOR = np.array((6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17))
#: The spiral array (Chew 2000, "Towards a Mathematical Model of Tonality"): the weight of the most important
#: member of a chord or of a key, of the next and of the last; how much of a minor key's dominant is major and
#: of its subdominant minor; the height of a fifth on a spiral of radius 1.
_WEIGHTS = np.array((0.516, 0.315, 0.168)) / 0.999
_MIXTURE = 0.75
_HEIGHT = np.sqrt(2 / 15)


def tonal_tension(measures: np.ndarray) -> np.ndarray:
    """How far a measure's notes lie, on average over their durations, from the key that fits them best.

    Unit: radii
    measures: int16 (m, 24). Returns float64 (m,): sum over pitch classes p of d_p |x_p - T|, where d_p is p's
    share of the sounding time, T the key's centre on the spiral array (Chew 2000), and x_p the place there of
    the one of p's names (F sharp, G flat) that is nearest to T. The key, of 12 major and 12 minor ones, is
    that with the highest correlation of its profile with d (Krumhansl 1990, "Cognitive Foundations of
    Musical Pitch", chapter 4); of equally good ones, the nearest. Tonic and fifth have 0.7 to 0.9, the other
    notes of the scale 1.3 to 1.9, notes outside it up to 2.5. 0 where nothing sounds; the same in all keys.
    A measure's key is its own: a broken chord of D minor has little tension in any tune.
    """
    durations = _sounding(measures)
    total = durations.sum(axis=1, keepdims=True)
    share = durations / np.maximum(total, 1e-9)
    fit = share @ _every_key(_standard(_MAJOR), _standard(_MINOR))
    away = share @ _every_key(*_distances())
    best = fit >= fit.max(axis=1, keepdims=True) - 1e-6  # ties must not depend on how a sum was rounded
    return np.where(total[:, 0] > 0, np.where(best, away, np.inf).min(axis=1), 0.0)


def _sounding(measures: np.ndarray) -> np.ndarray:
    """How long each pitch class sounds: (m, 24) -> (m, 12), in quarter notes; a note held in is unknown."""
    starts = np.where(measures == CONTINUE, 0, np.arange(TICKS))
    event = np.take_along_axis(measures, np.maximum.accumulate(starts, axis=1), axis=1).astype(np.int64)
    row = np.arange(len(measures))[:, None]
    sounds = event >= 0
    lengths = np.broadcast_to(_LENGTHS, measures.shape)
    found = np.bincount((row * 12 + event % 12)[sounds], lengths[sounds], 12 * len(measures))
    return found.reshape(-1, 12)


def _standard(profile: np.ndarray) -> np.ndarray:
    return (profile - profile.mean()) / profile.std()


def _every_key(major: np.ndarray, minor: np.ndarray) -> np.ndarray:
    """Values of the pitch classes from the tonic up -> (12, 24): those of C, C sharp, ... in each key."""
    return np.stack([np.roll(mode, tonic) for mode in (major, minor) for tonic in range(12)], axis=1)


def _place(fifths: int) -> np.ndarray:
    """Where a note, so many fifths above the tonic, lies on the spiral."""
    return np.array([np.sin(fifths * np.pi / 2), np.cos(fifths * np.pi / 2), fifths * _HEIGHT])


def _triad(root: int, third: int) -> np.ndarray:
    """The centre of a triad; a major third is four fifths up, a minor one three down."""
    return _WEIGHTS @ [_place(root), _place(root + 1), _place(root + third)]


def _distances() -> tuple[np.ndarray, np.ndarray]:
    """Of each pitch class from the tonic up (12,): its distance from the major, the minor key's centre."""
    major, minor = ({root: _triad(root, third) for root in (-1, 0, 1)} for third in (4, -3))
    dominant = _MIXTURE * major[1] + (1 - _MIXTURE) * minor[1]
    subdominant = _MIXTURE * minor[-1] + (1 - _MIXTURE) * major[-1]
    centres = _WEIGHTS @ [major[0], major[1], major[-1]], _WEIGHTS @ [minor[0], dominant, subdominant]
    names = [[fifths for fifths in range(-12, 13) if fifths * 7 % 12 == pitch] for pitch in range(12)]
    return tuple(
        np.array([min(np.linalg.norm(_place(fifths) - centre) for fifths in several) for several in names])
        for centre in centres
    )


# ------------------------------------------------------------------------------------------ syncopation

#: How long each tick lasts, in quarter notes.
_LENGTHS = np.tile(np.diff([float(place) for place in (*GRID, 1)]), BEATS)
#: The metre's levels: 0 the measure, 1 its half, 2 the beats, 3 the eighths, 4 what lies between; a triplet's
#: ticks divide the beat like eighths do.
_LEVELS = np.array([level for beat in (0, 2, 1, 2) for level in (beat, 4, 3, 3, 3, 4)])
_TRIPLET = np.tile([False, False, True, False, True, False], BEATS)


def syncopation(measures: np.ndarray) -> np.ndarray:
    """How much notes begin on weak ticks and hold, or fall silent, over stronger ones.

    Unit: levels
    measures: int16 (m, 24). Returns float64 (m,): S + (1 - r) / 2. S is the count of Longuet-Higgins & Lee
    (1984, Music Perception 1): levels of the metre from a note's tick to the strongest tick before the next
    note, added over the notes for which that tick is the stronger; a triplet's tick never is.
    S is 0 in 15 of 16 measures of folk tunes, so the second term, from 0 to 1, orders those: r is the
    correlation over the ticks of the metre's strength with the length of the note that starts there (0 for
    none), length being a note's accent (Lerdahl & Jackendoff 1983, metrical preference rule 5). Four quarter
    notes have 0.1, sixteen sixteenths 0.5, eighths between rests on the beats 4.5. 0 where no note begins;
    what is held over a bar line is not seen.
    """
    count = np.zeros(len(measures))
    covered = np.full(len(measures), np.inf)  # the strongest tick since, looked at from the end
    left, lengths = np.zeros(len(measures)), np.zeros(measures.shape)
    for tick in reversed(range(TICKS)):
        onset, event = measures[:, tick] >= 0, measures[:, tick] != CONTINUE
        count += np.where(onset, np.maximum(_LEVELS[tick] - covered, 0), 0)
        stronger = covered if _TRIPLET[tick] else np.minimum(covered, _LEVELS[tick])
        covered = np.where(onset, np.inf, stronger)
        left += _LENGTHS[tick]
        lengths[:, tick] = np.where(onset, left, 0)
        left = np.where(event, 0, left)
    accents = lengths - lengths.mean(axis=1, keepdims=True)
    strength = _LEVELS.mean() - _LEVELS
    power = np.sqrt((accents**2).sum(axis=1) * (strength**2).sum())
    follows = np.where(power > 0, accents @ strength / np.where(power > 0, power, 1), 1.0)
    return count + (1 - follows) / 2
