"""The playground page: trained decoders, items and program in one HTML file that works from disk, offline."""

import base64
import html
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arvae.datasets.contract import Dataset
from arvae.files import atomic_write
from arvae.playground import items, weights
from arvae.playground.items import Item
from arvae.report.figures.style import model_label
from arvae.trained import TrainedModel

LIMIT = 15_000_000  # bytes
SCRIPTS = ("decoder.js", "music.js", "draw.js", "sound.js", "page.js", "melody.js")
CHECKED = 3  # items of a model whose decoding by torch the page carries, to compare its own with
# What a panel says of itself; the numbers behind it are in the report.
ABOUT = {
    "mnist": "A digit of MNIST's test images, from its code. The shape of the stroke is the decoder's guess.",
    "dsprites": "One shape on black. The regularization asks each dimension to grow with one attribute; "
    "orientation, which runs in a circle, and shape, which has no order, are the hard ones.",
    "music": "Four measures of a tune that was not trained on, each with a code of its own. Outlines: the "
    "tune as it was written; filled: what the model makes of the codes. Beside each slider: the attribute of "
    "the original and, measured, of what you hear.",
}
TITLES = {"mnist": "A digit", "dsprites": "A shape", "folk": "Folk tunes", "bach": "Bach chorales"}
IMAGES: dict[str, Callable[[TrainedModel, Dataset], list[Item]]] = {
    "mnist": items.digits,
    "dsprites": items.shapes,
}
KNOWN = (*IMAGES, "folk", "bach")  # data sets in the order of the page's panels


def write(path: Path | str, models: Mapping[str, tuple[TrainedModel, Dataset]], made: str) -> dict[str, int]:
    """Write the page for trained models by data set name; the parts' sizes in bytes.

    made: a line on where the models come from, for the page's foot. Data sets the page has no panel for are
    refused with ValueError, and so is a page over 15 MB.
    """
    panels, parts = [], {}
    scored = {name: trained for name, (trained, _) in models.items() if trained.setup.kind == "music"}
    styles = []
    for name, (trained, data) in models.items():
        if name not in IMAGES and name not in scored:
            raise ValueError(
                f"the page has no panel for {name}: it has one for {', '.join(IMAGES)} and for music"
            )
        chosen = items.melodies(trained, data) if name in scored else IMAGES[name](trained, data)
        if not chosen:
            raise ValueError(
                f"{name}: its test split has nothing to start from; make it larger (scales in params.yaml)"
            )
        program, blob = weights.export(trained.network).packed()
        parts[name] = ({"program": program, "check": check(trained, chosen)}, blob)
        here = {
            "name": name,
            "title": TITLES.get(name, name),
            "controls": controls(trained),
            "items": [_item(i) for i in chosen],
        }
        if name in scored:
            vocabulary = trained.vocabulary
            styles.append(here | {"vocabulary": {"lowest": vocabulary.lowest, "pitches": vocabulary.pitches}})
        else:
            panels.append(here | {"kind": "images", "about": ABOUT[name]})
    if styles:
        panels.append(
            {
                "name": "melody",
                "kind": "music",
                "title": "A melody",
                "about": ABOUT["music"],
                "styles": styles,
            }
        )
    if not panels:
        raise ValueError("no trained model to put on the page: train some first (`dvc repro`)")
    text = render({"panels": panels, "models": {name: part[0] for name, part in parts.items()}},
                  {name: part[1] for name, part in parts.items()}, made)  # fmt: skip
    size = len(text.encode())
    if size > LIMIT:
        raise ValueError(f"the page has {size:,} bytes, more than {LIMIT:,}: put fewer models on it")
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return {name: len(part[1]) for name, part in parts.items()} | {"page": size}


def made(runs: Mapping[str, str], model: str, scale: str) -> str:
    """The line at the page's foot that says where its models come from."""
    listed = ", ".join(f"{name} {run}" for name, run in runs.items())
    return f"Decoders of {model_label(model)}, trained at scale {scale} (run of each data set: {listed})."


def controls(trained: TrainedModel) -> list[dict[str, Any]]:
    """The controls as the page's sliders take them."""
    return [
        {
            "attribute": k.attribute,
            "dimension": k.dimension,
            "low": _short(k.low),
            "high": _short(k.high),
            "sd": _short(k.sd),
        }
        for k in trained.controls
    ]


def _short(value: float) -> float:
    return round(float(value), 5)


def _item(item: Item) -> dict[str, Any]:
    z = [[_short(value) for value in row] for row in item.z]
    if item.original.dtype == np.uint8:
        return {"name": item.name, "z": z[0], "original": base64.b64encode(item.original.tobytes()).decode()}
    return {"name": item.name, "z": z, "original": item.original.tolist()}


def check(trained: TrainedModel, chosen: Sequence[Item]) -> dict[str, Any]:
    """Codes, some with a control turned as far as it goes, and what torch decodes them to, for the page to
    compare.

    output: float32 as base64: probabilities of images, scores of symbols of music.
    """
    codes = []
    for item in chosen[:CHECKED]:
        row = np.array([[_short(value) for value in row] for row in item.z])
        codes.append(row)
        turned = row[:1].repeat(2, axis=0)
        control = trained.controls[len(codes) % len(trained.controls)]
        turned[:, control.dimension] = _short(control.low), _short(control.high)
        codes.append(turned)
    z = np.concatenate(codes)
    with torch.inference_mode():
        logits = trained.network.decode(torch.from_numpy(z.astype(np.float32)))
    output = logits.sigmoid() if trained.setup.kind == "images" else logits
    return {"z": z.tolist(), "output": base64.b64encode(output.numpy().astype("<f4").tobytes()).decode()}


def render(data: Mapping[str, Any], blobs: Mapping[str, str], made: str) -> str:
    """The page's text. `data` becomes JSON, `blobs` base64 texts, in elements the script reads."""
    source = resources.files("arvae") / "templates" / "playground"

    def read(names: Iterable[str]) -> str:
        return "\n".join((source / name).read_text(encoding="utf-8").strip() for name in names)

    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    parts = {
        "style": read(["style.css"]),
        "made": html.escape(made),
        "data": text.replace("<", "\\u003c"),  # no tune's title can end the element
        "weights": "\n".join(
            f'<script type="text/plain" id="weights-{html.escape(name)}">{blob}</script>'
            for name, blob in blobs.items()
        ),
        "script": read(SCRIPTS),
    }
    before, page = "", read(["page.html"])
    while "{{ " in page:  # each mark once, from the left: what was put in is not looked at again
        head, _, rest = page.partition("{{ ")
        mark, _, page = rest.partition(" }}")
        before += head + parts[mark]
    return before + page + "\n"
