"""What the data sets and their attributes are, in words (Markdown), for the reports."""

from arvae.datasets.added import NOTED, meaning
from arvae.datasets.contract import Dataset

DATASETS = {
    "dsprites": """
**dSprites** (Matthey, Higgins, Hassabis, Lerchner 2017) holds one white shape on black (drawn here
black on white), in every combination of five factors: 3 shapes x 6 scales x 40 orientations x 32 x 32
places, 737,280 images of 64 x 64 pixels. The factors are independent by design, so nothing but the model
decides how well they come apart. Two things make it hard: orientation is a circle (its two ends, 0 and
2π, look alike, and a square looks the same every quarter turn), and shape is a category whose order
means nothing.
""",
    "mnist": """
**MNIST** (LeCun, Cortes, Burges) holds 70,000 handwritten digits of 28 x 28 grey pixels. Six attributes
of each are measured as in **Morpho-MNIST** (Castro et al. 2019): the digit is enlarged four times, cut at
half of its range and thinned to a skeleton. They are properties that a writer varies without changing the
digit, and they are related: a thicker digit has more area, a wider one longer strokes.
""",
    "bach": """
**Bach chorales**: single 4/4 measures of the soprano of the four-part chorales in music21's corpus. A
measure has 24 ticks, six a beat at 0, 1/4, 1/3, 1/2, 2/3 and 3/4 of it, so that sixteenths and triplets
both fall on one; each tick starts a pitch, starts a rest, or goes on with what was before. Every tune
comes in every key in which it stays between MIDI 55 (G3) and 84 (C6), and all measures of a tune, in all
keys, are on one side of the split.
""",
    "folk": """
**Folk tunes**: single 4/4 measures of monophonic tunes in ABC notation, coded like the chorales: 24 ticks
a measure, every tune in every key in which it stays between MIDI 55 (G3) and 84 (C6), all measures of a
tune on one side of the split. They move faster than a chorale's soprano: reels and hornpipes run in
eighth notes.
""",
}

ATTRIBUTES = {
    "shape": "square, ellipse or heart, as 0, 1, 2",
    "scale": "size, from half to whole",
    "orientation": "turned counter-clockwise, a full circle",
    "x": "place from left to right",
    "y": "place from top to bottom",
    "area": "pixels of ink",
    "length": "length of the skeleton",
    "thickness": "twice the mean distance from the skeleton to the rim",
    "slant": "how far the digit leans; positive to the right",
    "width": "across the digit, once it is set upright",
    "height": "of the rows that hold 98 % of the ink",
    "rhythmic complexity": "weight of the ticks that start a note, off-beat ticks weighing more",
    "pitch range": "from the lowest to the highest note, in units of 26 semitones",
    "note density": "share of the ticks that start a note",
    "contour": "from the first note to the last, in units of 26 semitones; positive rises",
}


def describe(dataset: Dataset) -> str:
    """A paragraph on the data set; for one of your own, what its provenance says it is."""
    like = dataset.provenance.get("like")
    known = DATASETS.get(dataset.name) or DATASETS.get(like)
    if known is None:
        known = f"**{dataset.name}**: {dataset.provenance.get('title', 'a data set of your own')}."
    added = dataset.provenance.get(NOTED)
    if added:
        known = (
            f"{known.strip()}\n\nAdded to its attributes: *{'*, *'.join(added)}*, computed by functions in "
            "`arvae/datasets/own.py`."
        )
    return known.strip()


def meanings(dataset: Dataset) -> dict[str, str]:
    """What each attribute is, in one line; those of own.py by the docstrings of their functions."""
    added = dataset.provenance.get(NOTED, {})
    return ATTRIBUTES | {name: meaning(text) for name, text in added.items()}
