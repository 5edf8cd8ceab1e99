"""The controls in a notebook: ipywidgets sliders, and the picture, the score, the piano roll and the sound that
follow.

Every app is an object with `root` (what the notebook shows) whose parts can be moved by code as by hand.
"""

import html
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from PIL import Image

from arvae import datasets, paths
from arvae.edit import EditError, TrainedModel, read_melody, read_picture
from arvae.edit import picture as pictures
from arvae.edit.melody import Melody
from arvae.edit.search import as_shown, measure
from arvae.music import audio, engraving
from arvae.playground import items as chosen
from arvae.playground.items import Item
from arvae.playground.page import IMAGES
from arvae.playground.roll import roll
from arvae.trained import ModelError

SHOWN = 8  # measures at most that are engraved and played while sliders move
_SIDE = 280  # pixels of a shown image
_WIDE = widgets.Layout(width="32rem")


def open_app(dataset: str, run: str | None = None) -> widgets.Widget:
    """What a notebook shows for a data set: its app, or in words why there is none and what to do."""
    try:
        trained = TrainedModel.load(dataset, run)
        data = datasets.load(trained.setup.dataset)
        if trained.setup.kind == "music":
            return MelodyApp(trained, chosen.melodies(trained, data)).root
        pick = IMAGES.get(trained.setup.dataset)
        if pick is None:
            return widgets.HTML(
                f"<p>{html.escape(dataset)}: there is an app for {', '.join(IMAGES)}, and for music.</p>"
            )
        return ImageApp(trained, pick(trained, data)).root
    except (EditError, ModelError, datasets.DataError) as error:
        return widgets.HTML(f"<p><b>{html.escape(dataset)}:</b> {html.escape(str(error))}</p>")


class _Saver:
    """A name, a button, and what came of it. `write` takes the path."""

    def __init__(self, name: str, write: Callable[[Path], Path]) -> None:
        self.name = widgets.Text(value=f"data/edited/{name}", description="file", layout=_WIDE)
        self.button = widgets.Button(description="Save", icon="download")
        self.said = widgets.HTML()
        self.write = write
        self.button.on_click(lambda _: self.save())
        self.root = widgets.HBox([self.name, self.button, self.said])

    def save(self) -> None:
        """Write the file, below the project's folder unless a whole path is given."""
        try:
            written = self.write(paths.root() / self.name.value)
            self.said.value = f"written: {html.escape(str(written))}"
        except (EditError, OSError) as error:
            self.said.value = f"<b>{html.escape(str(error))}</b>"


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


class _App:
    """What both apps share: start items, a file of one's own, a slider a control, what is measured."""

    def __init__(self, trained: TrainedModel, items: Sequence[Item], accept: str) -> None:
        self.trained, self.items = trained, list(items)
        self.picker = widgets.Dropdown(description="start from", layout=_WIDE)
        self.upload = widgets.FileUpload(accept=accept, description="your own")
        self.said = widgets.HTML()
        self.sliders = [
            widgets.FloatSlider(
                description=control.attribute,
                min=control.low,
                max=control.high,
                step=(control.high - control.low) / 200,
                readout_format="+.2f",
                style={"description_width": "9rem"},
                layout=_WIDE,
            )
            for control in trained.controls
        ]
        self.measured = [widgets.HTML() for _ in trained.controls]
        self.reset = widgets.Button(description="Reset", icon="undo")
        self._quiet = False
        self.picker.observe(lambda _: self.choose(self.picker.value), "value")
        self.upload.observe(lambda _: self._uploaded(), "value")
        self.reset.on_click(lambda _: self.choose(self.picker.value))
        for place, slider in enumerate(self.sliders):
            slider.observe(lambda change, place=place: self._turned(place, change["new"]), "value")
        self.controls = widgets.VBox(
            [widgets.HBox([a, b]) for a, b in zip(self.sliders, self.measured, strict=True)]
        )

    def _list(self, select: int) -> None:
        self._quiet = True
        self.picker.options = [(item.name, place) for place, item in enumerate(self.items)]
        self.picker.value = select
        self._quiet = False
        self.choose(select)

    def _turned(self, place: int, value: float) -> None:
        if not self._quiet:
            self.turn(place, value)
            self.draw()

    def _set(self, values: Sequence[float], ranges: Sequence[tuple[float, float]]) -> None:
        """Move the sliders without being told of it."""
        self._quiet = True
        for slider, value, (low, high) in zip(self.sliders, values, ranges, strict=True):
            slider.min, slider.max = min(low, slider.max), max(high, slider.min)
            slider.min, slider.max, slider.value = low, high, value
        self._quiet = False

    def _say(self, before: np.ndarray, now: np.ndarray) -> None:
        for said, control, a, b in zip(self.measured, self.trained.controls, before, now, strict=True):
            said.value = f"{_number(a)} → <b>{_number(b)}</b> {control.unit}"

    def _uploaded(self) -> None:
        if not self.upload.value:
            return
        file = self.upload.value[0]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(str(file["name"])).name
            path.write_bytes(bytes(file["content"]))
            try:
                self.items.append(self.read(path))
            except EditError as error:
                self.said.value = f"<b>{html.escape(str(error))}</b>"
                return
        self.said.value = ""
        self._list(len(self.items) - 1)

    def choose(self, place: int | None) -> None:
        """Start again from one of the items."""
        raise NotImplementedError

    def turn(self, place: int, value: float) -> None:
        """Take note of a slider's value."""
        raise NotImplementedError

    def draw(self) -> None:
        """Decode and show."""
        raise NotImplementedError

    def read(self, path: Path) -> Item:
        """A file of one's own as an item. EditError where it cannot be."""
        raise NotImplementedError


class ImageApp(_App):
    """A digit or a shape: the decoded image beside the original, and the attributes measured on both."""

    def __init__(self, trained: TrainedModel, items: Sequence[Item]) -> None:
        super().__init__(trained, items, ".png,.jpg,.jpeg,.gif,.bmp")
        self.picture, self.original = (
            widgets.Image(format="png", width=side) for side in (_SIDE, _SIDE // 3)
        )
        self.saver = _Saver(f"{trained.setup.dataset}.png", lambda path: pictures.write(path, self.image, 8))
        self.root = widgets.VBox(
            [
                widgets.HBox([self.picker, self.upload, self.reset]),
                self.said,
                widgets.HBox([widgets.VBox([self.picture, self.original]), self.controls]),
                self.saver.root,
            ]
        )
        self._list(0)

    def choose(self, place: int | None) -> None:
        """Start again from one of the items."""
        if self._quiet or place is None:
            return
        item = self.items[place]
        self.z = item.z[0].astype(np.float64).copy()
        self.given = measure(self.trained, item.original[None])[0]
        self.original.value = _png(item.original)
        at = [self.z[control.dimension] for control in self.trained.controls]
        self._set(
            at, [(min(k.low, v), max(k.high, v)) for k, v in zip(self.trained.controls, at, strict=True)]
        )
        self.draw()

    def turn(self, place: int, value: float) -> None:
        """Set the dimension of a control."""
        self.z[self.trained.controls[place].dimension] = value

    def draw(self) -> None:
        """Decode the code and show the image and what is measured on it."""
        self.image = self.trained.decode(self.z[None])[0]
        self.picture.value = _png(self.image)
        self._say(self.given, measure(self.trained, self.image[None])[0])

    def read(self, path: Path) -> Item:
        """A picture of one's own; one that is dark on light is inverted."""
        dataset = self.trained.setup.dataset
        try:
            image, adapted = read_picture(path, dataset)
        except EditError:
            image, adapted = read_picture(path, dataset, invert=True)
        name = " – ".join([path.stem, *adapted])
        return Item(name, self.trained.encode(image)[0], as_shown(image)[0])


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    large = Image.fromarray(255 - image).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
    large.save(buffer, "png")
    return buffer.getvalue()


class MelodyApp(_App):
    """Measures with a code each; sliders shift the codes of all of them or of one; score, roll and sound
    follow."""

    def __init__(self, trained: TrainedModel, items: Sequence[Item]) -> None:
        self.transpose = widgets.Checkbox(value=True, description="transpose into range", indent=False)
        self.monophonic = widgets.Checkbox(value=False, description="keep the highest voice", indent=False)
        self.scope = widgets.Dropdown(description="sliders move", layout=_WIDE)
        self.score, self.piano, self.sound = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.own: dict[int, Melody] = {}
        super().__init__(trained, items, ".mid,.midi,.musicxml,.xml,.mxl,.abc")
        self.scope.observe(lambda _: None if self._quiet else self._scoped(), "value")
        self.saver = _Saver(f"{trained.setup.dataset}.musicxml", self.save)
        self.root = widgets.VBox(
            [
                widgets.HBox([self.picker, self.upload, self.reset]),
                widgets.HBox([self.transpose, self.monophonic]),
                self.said,
                self.score,
                self.piano,
                self.sound,
                self.scope,
                self.controls,
                self.saver.root,
            ]
        )
        self._list(0)

    def choose(self, place: int | None) -> None:
        """Start again from one of the melodies."""
        if self._quiet or place is None:
            return
        self.item = self.items[place]
        self.shifts = np.zeros((len(self.item.z), len(self.sliders)))
        self._quiet = True
        self.scope.options = [("all measures", -1)] + [
            (f"measure {i + 1}", i) for i in range(len(self.item.z))
        ]
        self.scope.value = -1
        self._quiet = False
        self._scoped()

    def _rows(self) -> np.ndarray:
        """The measures that sliders move."""
        return np.arange(len(self.item.z)) if self.scope.value in (-1, None) else np.array([self.scope.value])

    def _scoped(self) -> None:
        rows, ranges = self._rows(), []
        for control in self.trained.controls:
            at = self.item.z[rows, control.dimension]
            ranges.append((min(0.0, control.low - at.max()), max(0.0, control.high - at.min())))
        self._set(self.shifts[rows].mean(axis=0).tolist(), ranges)
        self.draw()

    def turn(self, place: int, value: float) -> None:
        """Shift the codes of the chosen measures along a control's dimension."""
        self.shifts[self._rows(), place] = value

    def codes(self) -> np.ndarray:
        """The codes as they are set, each within what codes of the data span."""
        z = self.item.z.astype(np.float64).copy()
        for place, control in enumerate(self.trained.controls):
            at = z[:, control.dimension].copy()
            low, high = np.minimum(control.low, at), np.maximum(control.high, at)
            z[:, control.dimension] = np.clip(at + self.shifts[:, place], low, high)
        return z

    def draw(self) -> None:
        """Decode the codes; show the score, the roll and a player, of the first measures if there are
        many."""
        self.measures = self.trained.decode(self.codes())
        first = min(int(self._rows()[0]) // SHOWN * SHOWN, max(len(self.measures) - 1, 0))
        part = slice(first, first + SHOWN)
        now, given = self.measures[part], self.item.original[part]
        alt = f"{self.item.name}, measures {first + 1} to {first + len(now)}"
        self.score.value = engraving.engrave(now, alt=f"Score of {alt}", width=90)
        self.piano.value = roll(now, given, alt=f"Piano roll of {alt}; outlines: as given")
        self.sound.value = audio.player(now, alt)
        rows = self._rows()
        self._say(*(measure(self.trained, x[rows]).mean(axis=0) for x in (self.item.original, self.measures)))

    def read(self, path: Path) -> Item:
        """A melody of one's own, adapted as the boxes say."""
        melody = read_melody(
            path,
            self.trained.vocabulary,
            transpose=self.transpose.value,
            monophonic=self.monophonic.value,
        )
        self.own[len(self.items)] = melody
        return Item(melody.title, self.trained.encode(melody.measures)[0], melody.measures)

    def save(self, path: Path) -> Path:
        """Write all measures as they are, in the key they came in."""
        melody = self.own.get(self.picker.value) or Melody(self.item.original, self.item.name)
        return melody.save(path, self.measures)
