"""The decoder of the front page's sliders: a script beside the page, with the weights of one image model.

The page reads from it what to show before it is loaded (`compendium.site.sliders`), and loads it (page.js in
templates/site) when a slider is first touched.
"""

import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arvae.files import write_text
from arvae.trained import TrainedModel
from compendium.labels import plain
from compendium.playground import weights
from compendium.playground.items import Item

NAME = "decoder.js"  # beside index.html
BITS = 8  # of a weight: enough for digits, see `weights.packed`
END = 4.0  # of a slider, either way


def write(path: Path | str, trained: TrainedModel, chosen: Sequence[Item], first: int = 0) -> int:
    """Write the script of an image model's decoder, which starts from `chosen`; its size in bytes.

    first: the number of the item that stands there before the script is loaded. Where an item's code lies
    between the marks of a slider (tenths, to END) it is moved to the nearest.
    """
    program, blob = weights.packed(*weights.export(trained.network, encoder=False), BITS)
    z = np.concatenate([item.z[:1] for item in chosen]).astype(np.float64).round(4)
    turned = [control.dimension for control in trained.controls]
    z[:, turned] = z[:, turned].round(1).clip(-END, END) + 0.0
    with torch.inference_mode():
        drawn = trained.network.decode(torch.from_numpy(z[[first]].astype(np.float32))).sigmoid()[0]
    panel = {
        "side": program["height"],
        "end": END,
        "controls": [{"name": plain(one.attribute), "dimension": one.dimension} for one in trained.controls],
        "items": [{"name": item.name, "z": row.tolist()} for item, row in zip(chosen, z, strict=True)],
        "first": first,
        "drawn": np.rint(255 * drawn.squeeze().numpy()).astype(int).ravel().tolist(),
    }
    source = resources.files("compendium") / "templates" / "playground"
    parts = {
        "panel": _json(panel),
        "program": _json(program),
        "decoder": (source / "decoder.js").read_text(encoding="utf-8").strip(),
        "weights": blob,
    }
    text = (source / "live.js").read_text(encoding="utf-8")
    text = re.sub(r"{{ (\w+) }}", lambda mark: parts[mark[1]], text)
    write_text(Path(path), text)
    return len(text.encode())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
