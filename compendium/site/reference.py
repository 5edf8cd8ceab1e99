"""The API reference: the docstrings of what is public, by pdoc, in pages/api of the main report."""

import re
from pathlib import Path

import pdoc
from pygments.formatters import HtmlFormatter

from compendium.site.convert import way

TEMPLATES = Path(__file__).parents[1] / "templates" / "site" / "api"
MODULES = ("arvae", "arvae.edit", "!arvae.edit.__main__")  # of arvae, what its __all__ names
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of functions in signatures, another in every process


def write(folder: Path) -> Path:
    """Write the pages into `folder`; the first of them. The same code gives the same bytes."""
    pdoc.render.configure(
        docformat="google", show_source=False, search=False, footer_text="AR-VAE",
        template_directory=TEMPLATES,
    )  # fmt: skip
    pdoc.render.env.globals["dark_code"] = _dark_code()
    pdoc.pdoc(*MODULES, output_directory=folder)
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        report = way(page.parent, folder.parents[1] / "index.html")
        text = text.replace(
            "<footer>AR-VAE</footer>", f'<footer><a href="{report}">← Main report</a></footer>'
        )
        page.write_text(_ADDRESS.sub("", text), encoding="utf-8")
    return folder / "arvae.html"


def _dark_code() -> str:
    """The colours of code on a dark page, as on the site's other pages; the ground is pdoc's."""
    rules = HtmlFormatter(style="github-dark").get_style_defs(".pdoc-code").splitlines()
    return "\n".join(rule for rule in rules if rule.startswith(".pdoc-code ."))
