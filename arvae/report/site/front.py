"""The front page: the idea, what came out, the way to all pages; and that of the further studies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from bs4 import BeautifulSoup

from arvae.report.figures import style
from arvae.report.site import facts
from arvae.report.site.convert import math
from arvae.report.site.story import DOCS, DOCS_TOLD, SECTIONS, about, studies

# The picture that stands for a setup on the front page: the first that is there.
KEY_PICTURES = (
    "travers*.gif",
    "traversals.png",
    "*travers*.png",
    "*score*.png",
    "*roll*.png",
    "reconstruction*.png",
)
KEY_SETUPS = ("mnist", "mnist-arvae", "dsprites-arvae", "bach-arvae", "folk-arvae")


BOXES = ("figures/results/", "figures/baselines/")  # of the stage that sets all models side by side


@dataclass(frozen=True)
class Picture:
    """A picture of the front page."""

    path: str  # from reports/
    alt: str
    page: str  # that it comes from


def _pictures(reports: Path, pages: Sequence[Any]) -> dict[str, Picture]:
    """All pictures that pages show from files: path under reports/ -> picture."""
    found: dict[str, Picture] = {}
    for page in pages:
        for path, alt in page.body.alts.items():
            inside = path.removeprefix("../")
            if path.startswith("../figures/") and (reports / inside).is_file():
                found.setdefault(inside, Picture(inside, alt, page.name))
    return found


def _key_picture(pictures: dict[str, Picture], setup: str, patterns: tuple[str, ...]) -> Picture | None:
    for pattern in patterns:
        for path, picture in sorted(pictures.items()):
            if Path(path).match(f"figures/*-{setup}/{pattern}"):
                return picture
    return None


def front(
    templates: jinja2.Environment,
    home: Path,
    pages: Sequence[Any],
    menu: dict[str, Sequence[Any]],
    found: dict[str, dict[str, Any]],
    provenance: facts.Provenance,
    reports: Path,
) -> str:
    """The HTML of reports/index.html, or of the front page of the studies."""
    aside = reports != home / "reports"
    pictures = _pictures(reports, pages)

    def first(*patterns: str) -> Picture | None:
        return next(filter(None, (_key_picture(pictures, setup, patterns) for setup in KEY_SETUPS)), None)

    scores = facts.scores(home, found)
    still = tuple(pattern for pattern in KEY_PICTURES if not pattern.endswith(".gif"))
    cards = [
        {
            "name": dataset,
            "label": style.dataset_label(dataset),
            "picture": _key_picture(pictures, f"{dataset}-arvae", still),
            "scores": values,
            "metrics": list(dict.fromkeys(score.metric for score in values)),
            "pages": [p for p in pages if about(p.name) == dataset],
        }
        for dataset, values in scores.items()
    ]
    told = {**dict(SECTIONS.values()), DOCS: DOCS_TOLD}
    story = {section: told.get(section, runs[0].body.lead) for section, runs in menu.items()}
    name = "studies.html.j2" if aside else "index.html.j2"
    return templates.get_template(name).render(
        menu=menu, here="", up="", pages="pages/", provenance=provenance, cards=cards, told=story,
        story="../../reports/index.html" if aside else "", studies="" if aside else studies(reports, ""),
        hero=None if aside else first(*KEY_PICTURES), schematic=first("schematic.png"),
        boxes=next((p for path, p in pictures.items() if path.startswith(BOXES)), None),
        loss=math(LOSS, display=True), term=math(TERM, display=True), m=lambda source: math(source, False),
        others=_others(reports),
        tables=[f"tables/{path.name}" for path in sorted((reports / "tables").glob("*.csv"))],
    )  # fmt: skip


def _others(reports: Path) -> dict[str, str]:
    """Pages that other stages put beside the front page, such as the playground: file name -> title."""
    found = {}
    for path in sorted(reports.glob("*.html")):
        if path.name != "index.html":
            with path.open(encoding="utf-8") as file:  # its head is enough: it may carry trained weights
                head = BeautifulSoup(file.read(4000), "html.parser")
            found[path.name] = head.title.get_text().strip() if head.title else style.plain(path.stem)
    return found


LOSS = r"L = \text{reconstruction} + \beta \, \left| D_{KL} - C \right| + \gamma \sum_{a} L_{AR}(z_{r(a)}, a)"
TERM = (
    r"L_{AR}(z_r, a) = \frac{1}{m^2} \sum_{i,j} \left| \tanh\left(\delta \, (z_{r,i} - z_{r,j})\right)"
    r" - \mathrm{sgn}(a_i - a_j) \right|"
)
