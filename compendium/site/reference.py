"""The API reference: the docstrings of what is public, by pdoc, in pages/api."""

import re
from pathlib import Path

import pdoc

MODULES = ("arvae", "arvae.edit", "!arvae.edit.__main__")  # of arvae, what its __all__ names
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of functions in signatures, another in every process


def write(folder: Path) -> Path:
    """Write the pages into `folder`; the first of them. The same code gives the same bytes."""
    pdoc.render.configure(docformat="google", show_source=False, search=False, footer_text="AR-VAE")
    pdoc.pdoc(*MODULES, output_directory=folder)
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(_ADDRESS.sub("", text), encoding="utf-8")
    return folder / "arvae.html"
