"""The element in which a page's script grows sliders over a decoder."""

import html
import re
from pathlib import Path

from compendium.site.convert import way


def sliders(script: Path, folder: Path, frames: str) -> str:
    """HTML for a page in `folder` that loads (page.js) `script`, written by `compendium.playground.live`.

    frames: HTML shown in their place without scripts, or where the file is missing; all there is without it.
    """
    if not script.is_file():
        return frames
    panel = re.search(r"^const panel = (.*);$", script.read_text(encoding="utf-8"), re.MULTILINE)
    if panel is None:
        raise ValueError(f"{script} is no decoder for this page: run `dvc repro playground`")
    link, data = way(folder, script), html.escape(panel[1])
    return f"<div class='live' data-script='{link}' data-panel='{data}'>{frames}</div>"
