"""The controls in a notebook: ipywidgets sliders, and the picture, or the score and the sound, that follow.

Every app is an object with `root` (what the notebook shows) whose parts can be moved by code as by hand.
"""

import html
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from PIL import Image

from arvae import datasets, paths
from arvae.edit import EditError, Melody, TrainedModel, picture, read_melody
from arvae.music.files import ENDINGS
from arvae.trained import ModelError, as_shown
from compendium.figures import engraving
from compendium.figures.music import player
from compendium.playground import items as chosen
from compendium.playground.items import Item

SHOWN = 8  # measures at most that are engraved and played while sliders move
_SIDE = 280  # pixels of a shown image
_WIDE = widgets.Layout(width="32rem")


def open_app(dataset: str, run: str | None = None) -> widgets.Widget:
    """What a notebook shows for a data set: its app, or in words why there is none and what to do."""
    try:
        trained = TrainedModel.load(dataset, run)
        data = datasets.at_hand(trained.setup.dataset)
        app = MelodyApp if data.kind == "music" else ImageApp
        return app(trained, chosen.choose(trained, data)).root
    except (EditError, ModelError, datasets.DataError) as error:
        return widgets.HTML(_loud(f"{dataset}: {error}"))


def _loud(text: object) -> str:
    return f"<b>{html.escape(str(text))}</b>"


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


class App:
    """What both apps share: items to start from, a file of one's own, a slider a control, what is measured.

    An item has m parts (1, or the measures of a melody) with a code each; sliders shift the codes of all of
    them or of one. A subclass has `show(rows)`, which shows `decoded` (m, ...), of which the sliders move
    `rows`; `read(path)` gives a file as an Item, `write(path)` saves what is decoded; both raise EditError.
    """

    accept: tuple[str, ...]
    ending: str

    def __init__(self, trained: TrainedModel, items: Sequence[Item], view: Sequence[widgets.Widget]) -> None:
        self.trained, self.items, self._quiet = trained, list(items), False
        self.picker = widgets.Dropdown(description="start from", layout=_WIDE)
        self.scope = widgets.Dropdown(description="sliders move", layout=_WIDE)
        self.upload = widgets.FileUpload(accept=",".join(self.accept), description="your own")
        self.reset = widgets.Button(description="Reset", icon="undo")
        self.sliders = [
            widgets.FloatSlider(
                description=control.attribute, step=control.sd / 50, readout_format="+.2f",
                style={"description_width": "9rem"}, layout=_WIDE,
            )
            for control in trained.controls
        ]  # fmt: skip
        self.measured = [widgets.HTML() for _ in trained.controls]
        self.file = widgets.Text(
            value=f"data/edited/{trained.setup.dataset}{self.ending}", description="file", layout=_WIDE
        )
        self.saver = widgets.Button(description="Save", icon="download")
        self.said = widgets.HTML()
        self.picker.observe(lambda _: self._quiet or self.choose(self.picker.value), "value")
        self.scope.observe(lambda _: self._quiet or self._scoped(), "value")
        self.upload.observe(lambda _: self._uploaded(), "value")
        self.reset.on_click(lambda _: self.choose(self.picker.value))
        self.saver.on_click(lambda _: self._save())
        for place, slider in enumerate(self.sliders):
            slider.observe(lambda change, place=place: self._moved(place, change["new"]), "value")
        rows = [widgets.HBox(row) for row in zip(self.sliders, self.measured, strict=True)]
        self.root = widgets.VBox(
            [widgets.HBox([self.picker, self.upload, self.reset]), self.said, *view, self.scope, *rows,
             widgets.HBox([self.file, self.saver])]
        )  # fmt: skip
        self._list(0)

    def _list(self, select: int) -> None:
        self._quiet = True
        self.picker.options = [(item.name, place) for place, item in enumerate(self.items)]
        self.picker.value = select
        self._quiet = False
        self.choose(select)

    def choose(self, place: int) -> None:
        """Start again from one of the items."""
        self.item = self.items[place]
        parts = len(self.item.z)
        self.shifts = np.zeros((parts, len(self.sliders)))
        self._quiet = True
        self.scope.options = [("all measures", -1), *((f"measure {i + 1}", i) for i in range(parts))]
        self.scope.value = -1
        self.scope.layout.display = None if parts > 1 else "none"
        self._quiet = False
        self._scoped()

    def _rows(self) -> np.ndarray:
        """The parts that sliders move."""
        return np.arange(len(self.item.z)) if self.scope.value in (-1, None) else np.array([self.scope.value])

    def _scoped(self) -> None:
        """Set the sliders to what the chosen parts are shifted by, without being told of it; then draw."""
        rows = self._rows()
        self._quiet = True
        for place, (slider, control) in enumerate(zip(self.sliders, self.trained.controls, strict=True)):
            at = self.item.z[rows, control.dimension]
            with slider.hold_trait_notifications():
                slider.min, slider.max = min(0.0, control.low - at.max()), max(0.0, control.high - at.min())
                slider.value = self.shifts[rows, place].mean()
        self._quiet = False
        self.draw()

    def _moved(self, place: int, value: float) -> None:
        if not self._quiet:
            self.shifts[self._rows(), place] = value
            self.draw()

    def codes(self) -> np.ndarray:
        """The codes as they are set, each within what codes of the data span."""
        z = self.item.z.astype(np.float64)
        for control, shift in zip(self.trained.controls, self.shifts.T, strict=True):
            at = z[:, control.dimension]
            low, high = np.minimum(control.low, at), np.maximum(control.high, at)
            z[:, control.dimension] = np.clip(at + shift, low, high)
        return z

    def draw(self) -> None:
        """Decode the codes, show that, and say what is measured on it."""
        self.decoded, rows = self.trained.decode(self.codes()), self._rows()
        self.show(rows)
        before, now = (self.trained.measure(x[rows]).mean(axis=0) for x in (self.item.original, self.decoded))
        for said, control, a, b in zip(self.measured, self.trained.controls, before, now, strict=True):
            said.value = f"{_number(a)} → <b>{_number(b)}</b> {control.unit}"

    def _uploaded(self) -> None:
        for file in self.upload.value[:1]:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / Path(str(file["name"])).name
                path.write_bytes(bytes(file["content"]))
                try:
                    self.items.append(self.read(path))
                except EditError as error:
                    self.said.value = _loud(error)
                    return
            self.said.value = ""
            self._list(len(self.items) - 1)

    def _save(self) -> None:
        """Write the file, below the project's folder unless a whole path is given."""
        try:
            self.said.value = html.escape(f"written: {self.write(paths.root() / self.file.value)}")
        except (EditError, OSError) as error:
            self.said.value = _loud(error)


class ImageApp(App):
    """A digit or a shape: the decoded image beside the original, and the attributes measured on both."""

    accept, ending = (".png", ".jpg", ".jpeg", ".gif", ".bmp"), ".png"

    def __init__(self, trained: TrainedModel, items: Sequence[Item]) -> None:
        self.picture, self.original = (widgets.Image(format="png", width=w) for w in (_SIDE, _SIDE // 3))
        super().__init__(trained, items, [widgets.HBox([self.picture, self.original])])

    def show(self, rows: np.ndarray) -> None:
        """Show the image beside the original."""
        self.picture.value, self.original.value = _png(self.decoded[0]), _png(self.item.original[0])

    def read(self, path: Path) -> Item:
        """A picture of one's own; one that is dark on light is inverted."""
        image, adapted = picture.read_for(self.trained, path, invert=None)
        return Item(" – ".join([path.stem, *adapted]), self.trained.encode(image)[0], as_shown(image))

    def write(self, path: Path) -> Path:
        """Write the image as it is, every pixel as 8 x 8."""
        return picture.write(path, self.decoded[0], 8)


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(255 - image).resize((_SIDE, _SIDE), Image.Resampling.NEAREST).save(buffer, "png")
    return buffer.getvalue()


class MelodyApp(App):
    """Measures with a code each: a score, the original above what the sliders make of it, and its sound."""

    accept, ending = ENDINGS, ".musicxml"

    def __init__(self, trained: TrainedModel, items: Sequence[Item]) -> None:
        self.transpose = widgets.Checkbox(value=True, description="transpose into range", indent=False)
        self.monophonic = widgets.Checkbox(value=False, description="keep the highest voice", indent=False)
        self.score, self.sound, self.own = widgets.HTML(), widgets.HTML(), {}
        boxes = widgets.HBox([self.transpose, self.monophonic])
        super().__init__(trained, items, [boxes, self.score, self.sound])

    def show(self, rows: np.ndarray) -> None:
        """Show the score and a player: of a long melody, the measures around the one that sliders move."""
        first = int(rows[0]) // SHOWN * SHOWN
        given, now = (x[first : first + SHOWN] for x in (self.item.original, self.decoded))
        alt = f"{self.item.name}, measures {first + 1} to {first + len(now)}, as given and as edited"
        self.score.value = engraving.engrave([given, now], ["as given", "now"], alt=alt)
        self.sound.value = player(now, alt)

    def read(self, path: Path) -> Item:
        """A melody of one's own, adapted as the boxes say."""
        options = {"transpose": self.transpose.value, "monophonic": self.monophonic.value}
        melody = read_melody(path, self.trained.vocabulary, **options)
        self.own[len(self.items)] = melody
        return Item(melody.title, self.trained.encode(melody.measures)[0], melody.measures)

    def write(self, path: Path) -> Path:
        """Write all measures as they are, in the key they came in."""
        melody = self.own.get(self.picker.value) or Melody(self.item.original, self.item.name)
        return melody.save(path, self.decoded)
