"""Edit a melody, a digit or a shape by turning the controls of a trained model.

trained = TrainedModel.load("folk")
melody = read_melody("tune.abc", trained.vocabulary)
edited = edit(trained, melody.measures, parse(["note_density=+1"], trained, len(melody.measures)))
melody.save("edited.musicxml", edited.result)

On the command line: `python -m arvae.edit tune.abc note_density=+1 -o edited.musicxml`.
"""

from arvae.edit.faults import EditError
from arvae.edit.melody import Melody
from arvae.edit.melody import read as read_melody
from arvae.edit.picture import read as read_picture
from arvae.edit.report import as_json, findings, table, text
from arvae.edit.search import Edited, edit
from arvae.edit.wishes import Wish, parse, places
from arvae.trained import TrainedModel

__all__ = [
    "EditError", "Edited", "Melody", "TrainedModel", "Wish", "as_json", "edit", "findings", "parse", "places",
    "read_melody", "read_picture", "table", "text",
]  # fmt: skip
