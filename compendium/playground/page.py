"""The playground page: trained models, items and program in one HTML file that works from disk, offline."""

import base64
import dataclasses
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arvae.datasets import sprites
from arvae.datasets.contract import Dataset
from arvae.files import atomic_write
from arvae.trained import Control, TrainedModel
from compendium.labels import model_label
from compendium.playground import items, weights
from compendium.playground.grammar import grammar
from compendium.playground.items import Item

LIMIT = 15_000_000  # bytes
SCRIPTS = (
    "page.js", "decoder.js", "encoder.js", "music.js", "key.js", "score.js", "abc.js", "midi.js",
    "musicxml.js", "read.js", "write.js", "patch.js", "draw.js", "sound.js", "controls.js", "measure.js",
    "shape.js", "digit.js", "picture.js", "strip.js", "melody.js",
)  # fmt: skip
NO_OWN = ("dsprites",)  # data sets whose panel takes nothing of one's own: no encoder is needed
CHECKED = 3  # items of a model whose decoding by torch the page carries, to compare its own with
# What a panel says of itself; the numbers behind it are in the report.
ABOUT = {
    "mnist": "A digit from MNIST's test images, or your own, decoded from its code. The decoder fills in the "
    "details of the stroke.",
    "dsprites": "One white shape on black. Each regularized dimension should increase with one attribute; "
    "orientation, which is circular, and shape, which has no order, are the hard ones.",
    "music": "A tune not used in training, or your own, with one code per measure. Measures you do not "
    "edit stay as written; outlines: as written, filled: current. Next to each slider: "
    "the attribute as written and as measured on what you hear.",
}
TITLES = {"mnist": "A digit", "dsprites": "A shape", "folk": "Folk tunes", "bach": "Bach chorales"}
KNOWN = ("mnist", "dsprites", "folk", "bach")  # data sets in the order of the page's panels


def write(
    path: Path | str,
    models: Mapping[str, tuple[TrainedModel, Dataset]],
    made: str,
    beside: Mapping[str, TrainedModel] | None = None,
) -> dict[str, int]:
    """Write the page for trained models by data set name; the parts' sizes in bytes.

    made: a line on where the models come from, for the page's foot. beside: models of the same data sets that
    can be shown beside them, making the same moves. ValueError for data sets that the page has no panel for
    (`items.choose`), for none at all, and for a page over 15 MB.
    """
    panels, styles, programs, blobs = [], [], {}, {}

    def add(name: str, trained: TrainedModel, chosen: Sequence[Item]) -> list[dict[str, Any]]:
        bits = 8 if trained.setup.dataset == "mnist" else 12
        exported = weights.export(trained.network, encoder=trained.setup.dataset not in NO_OWN)
        program, blobs[name] = weights.packed(*exported, bits)
        programs[name] = {"program": program, "check": check(trained, chosen)}
        return [_control(control) for control in trained.controls]

    for name, (trained, data) in models.items():
        chosen = items.choose(trained, data)
        panel = {
            "name": name,
            "title": TITLES.get(name, name),
            "controls": add(name, trained, chosen),
            "items": [_item(item) for item in chosen],
        }
        other = (beside or {}).get(name)
        if other is not None:
            codes = [other.encode(item.original)[0] for item in chosen]
            recoded = [dataclasses.replace(i, z=z) for i, z in zip(chosen, codes, strict=True)]
            panel["beside"] = {
                "name": f"{name}-beside",
                "title": model_label(other.setup.model),
                "controls": add(f"{name}-beside", other, recoded),
                "codes": [_codes(z) for z in codes],
            }
        if data.kind == "images":
            shapes = {"templates": _templates()} if name == "dsprites" else {}
            panels.append(panel | {"kind": "images", "about": ABOUT[name]} | shapes)
        else:
            known = {key: getattr(trained.vocabulary, key) for key in ("lowest", "pitches")}
            styles.append(panel | {"vocabulary": known})
    if styles:
        melody = {"name": "melody", "kind": "music", "title": "A melody", "about": ABOUT["music"]}
        panels.append(melody | {"styles": styles})
    if not panels:
        raise ValueError("no trained model to put on the page: train some first (`dvc repro`)")
    scales = dict.fromkeys(trained.setup.scale for trained, _ in models.values())
    content = {"panels": panels, "models": programs, "grammar": grammar()}
    text = render(content, blobs, made, f"scale {', '.join(scales)}")
    size = len(text.encode())
    if size > LIMIT:
        raise ValueError(f"the page has {size:,} bytes, more than {LIMIT:,}: put fewer models on it")
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return {name: len(blob) for name, blob in blobs.items()} | {"page": size}


def made(runs: Mapping[str, str], model: str, scale: str) -> str:
    """The line at the page's foot that says where its models come from."""
    listed = ", ".join(f"{name} {run}" for name, run in runs.items())
    return f"Models: {model_label(model)}, trained at scale {scale} (run of each data set: {listed})."


def _control(control: Control) -> dict[str, Any]:
    """A control as the page's sliders take it."""
    numbers = {key: round(getattr(control, key), 5) for key in ("low", "high", "sd")}
    kept = ("attribute", "unit", "dimension", "sign")
    return {key: getattr(control, key) for key in kept} | numbers


def _templates() -> dict[str, Any]:
    """What a drawing's shape and orientation are read off with (`sprites.estimate`): samples in 16 levels."""
    known = sprites.Templates()
    levels = np.rint(known.drawings * 15).astype(np.uint8)
    lists = {
        key: getattr(known, key).round(5).tolist() for key in ("shape", "orientation", "offset", "unit_area")
    }
    return lists | {"periods": sprites.PERIODS, "drawings": _base64(levels[:, ::2] << 4 | levels[:, 1::2])}


def _item(item: Item) -> dict[str, Any]:
    image = item.original.dtype == np.uint8
    original = _base64(item.original) if image else item.original.tolist()
    return {"name": item.name, "z": _codes(item.z), "original": original}


def _codes(z: np.ndarray) -> list[list[float]]:
    return np.round(z.astype(np.float64), 5).tolist()


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def check(trained: TrainedModel, chosen: Sequence[Item]) -> dict[str, Any]:
    """Codes, some with a control turned as far as it goes, and what torch decodes them to, for the page to
    compare. output as base64: probabilities of images, float16; scores of symbols of music, float32."""
    codes = []
    for number, item in enumerate(chosen[:CHECKED], 1):
        row = np.round(item.z.astype(np.float64), 5)
        control = trained.controls[number % len(trained.controls)]
        turned = row[:1].repeat(2, axis=0)
        turned[:, control.dimension] = round(control.low, 5), round(control.high, 5)
        codes += [row, turned]
    z = np.concatenate(codes)
    with torch.inference_mode():
        logits = trained.network.decode(torch.from_numpy(z.astype(np.float32)))
    images = trained.setup.kind == "images"
    output = (logits.sigmoid() if images else logits).numpy().astype("<f2" if images else "<f4")
    return {"z": z.tolist(), "output": _base64(output)}


def render(data: Mapping[str, Any], blobs: Mapping[str, str], made: str, scale: str) -> str:
    """The page's text. `data` becomes JSON, `blobs` base64 texts, in elements the script reads.

    scale: that of the models' training, in words, for the page's title and first lines.
    """
    source = resources.files("compendium") / "templates" / "playground"

    def read(names: Iterable[str]) -> str:
        return "\n".join((source / name).read_text(encoding="utf-8").strip() for name in names)

    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    parts = {
        "style": read(["style.css"]),
        "made": html.escape(made),
        "scale": html.escape(scale),
        "data": text.replace("<", "\\u003c"),  # no tune's title can end the element
        "weights": "\n".join(
            f'<script type="text/plain" id="weights-{html.escape(name)}">{blob}</script>'
            for name, blob in blobs.items()
        ),
        "script": read(SCRIPTS),
    }
    # in one pass: what was put in is not looked at again
    return re.sub(r"{{ (\w+) }}", lambda mark: parts[mark[1]], read(["page.html"])) + "\n"
