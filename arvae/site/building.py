"""Builds reports/pages and reports/index.html from reports/notebooks, the docs and the metrics."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from bs4 import BeautifulSoup
from pygments.formatters import HtmlFormatter

from arvae import params, paths
from arvae.figures import style
from arvae.files import atomic_write
from arvae.site import facts
from arvae.site.checking import REPORTS_LIMIT, check
from arvae.site.convert import TEMPLATES, Body, Converter, math
from arvae.site.faults import SiteError

# The story in its order: beginning of a notebook's name, name of the section, what it tells. Notebooks that
# begin otherwise follow under "More", told by their own first paragraph.
SECTIONS = {
    "data": ("The data", "Where the four data sets come from, their attributes, how these hang together."),
    "train": ("Training", "Every model on every data set: settings, curves, a first look at the outcome."),
    "classifier": ("The digit classifier", "A judge, trained apart: is an edited digit the same still?"),
    "evaluate": ("Evaluation", "How well a latent dimension tells its attribute, what turning it does."),
    "results": ("Results", "All models and data sets side by side, and beside the published values."),
    "playground": ("Playground", "How the page with the knobs is made, and how exactly it decodes."),
    "tutorial": ("For musicians", "A real folk tune, edited: scores and sound before and after."),
    "hyperparameters": ("Hyperparameters", "What the strength γ and the slope δ buy, and cost."),
}  # fmt: skip
DOCS_TOLD = "Three steps to a data set and attributes of your own."
MORE, DOCS = "More", "Your own data"
# The picture that stands for a cell on the front page: the first that is there.
KEY_PICTURES = ("travers*.gif", "*travers*.png", "*score*.png", "*roll*.png", "reconstruction*.png")
KEY_CELLS = ("mnist-arvae", "dsprites-arvae", "bach-arvae", "folk-arvae")


@dataclass(frozen=True)
class Page:
    """One page of the site and its place in the story."""

    name: str  # reports/pages/<name>.html
    section: str
    label: str  # in the menu
    source: Path
    body: Body

    @property
    def kicker(self) -> str:
        """The line over the page's heading: where in the story it stands."""
        return self.section if self.label == self.section else f"{self.section} · {self.label}"


def place(stem: str) -> tuple[int, str, str]:
    """Where a notebook stands: number of its section, the section, its label; by its file's name.

    train-mnist-arvae -> (1, "Training", "MNIST · AR-VAE").
    """
    for number, (stage, (section, _)) in enumerate(SECTIONS.items()):
        if stem == stage:
            return number, section, section
        if stem.startswith(f"{stage}-"):
            dataset, _, model = stem.removeprefix(f"{stage}-").partition("-")
            names = [style.dataset_label(dataset), *([style.model_label(model)] if model else [])]
            return number, section, " · ".join(names)
    return len(SECTIONS), MORE, style.plain(stem).replace("-", " ")


def _rank(stem: str) -> tuple[Any, ...]:
    """Sorts notebooks: sections in order, data sets and models in the paper's order."""
    number, _, label = place(stem)
    rest = stem.split("-")[1:]
    orders = (list(style.DATASET_LABELS), list(style.MODEL_COLOURS))
    known = [o.index(part) if part in o else 99 for part, o in zip(rest, orders, strict=False)]
    return number, known, label


def collect(home: Path) -> list[Page]:
    """Convert every executed notebook and docs/your_own_data.md, in the order of the story."""
    converter = Converter(home)
    books = sorted((home / "reports" / "notebooks").glob("*.ipynb"), key=lambda p: _rank(p.stem))
    if not books:
        raise SiteError(["reports/notebooks holds no notebook: run `dvc repro` first"])
    pages = []
    for path in books:
        _, section, label = place(path.stem)
        pages.append(Page(path.stem, section, label, path, converter.notebook(path)))
    own = home / "docs" / "your_own_data.md"
    if own.is_file():
        pages.append(Page("your-own-data", DOCS, DOCS, own, converter.document(own)))
    return pages


def build(home: Path | str | None = None, limit: int = REPORTS_LIMIT) -> pd.DataFrame:
    """Write reports/pages/*.html, reports/pages/style.css and reports/index.html; check them all.

    Args:
        home: the project's root, default the one above the working directory.
        limit: bytes that reports/ may have in all.

    Returns:
        A line a page: section, page, kB.

    Raises:
        SiteError: lists every fault: a failed cell, a link to nothing, a picture missing or without alt
            text, an equation not understood, a file too large.
    """
    home = paths.root() if home is None else Path(home).resolve()
    reports = home / "reports"
    knobs = params.load(home / "params.yaml")
    code = facts.commit(home)
    found = facts.cells(reports)
    pages = collect(home)
    faults = [fault for page in pages for fault in page.body.faults]
    if faults:
        raise SiteError(faults)
    folder = reports / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.html"):
        if old.stem not in {page.name for page in pages}:
            old.unlink()
    templates = _templates()
    _write(folder / "style.css", _style_sheet())
    menu = _menu(pages)
    for number, page in enumerate(pages):
        rests_on = [cell for name, cell in found.items() if _concerns(page.name, name)] or list(
            found.values()
        )
        text = templates.get_template("page.html.j2").render(
            page=page, body=page.body.html, menu=menu, here=page.name, up="../", pages="",
            before=pages[number - 1] if number else None,
            after=pages[number + 1] if number + 1 < len(pages) else None,
            provenance=facts.provenance(rests_on, knobs.scale, knobs.seeds, code),
            source=f"../../{page.source.relative_to(home).as_posix()}",
        )  # fmt: skip
        _write(folder / f"{page.name}.html", text)
    whole = facts.provenance(list(found.values()), knobs.scale, knobs.seeds, code)
    _write(reports / "index.html", _front(templates, home, pages, menu, found, whole))
    check(reports, limit)
    return pd.DataFrame(
        {
            "section": [page.section for page in pages],
            "page": [page.label for page in pages],
            "kB": [round((folder / f"{page.name}.html").stat().st_size / 1000) for page in pages],
        }
    )


def _concerns(page: str, cell: str) -> bool:
    """Does a page tell of a cell? train-mnist-arvae: of that one; data-mnist: of all of its data set."""
    stage, _, rest = page.partition("-")
    return rest == cell or (stage == "data" and cell.startswith(f"{rest}-"))


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text.rstrip() + "\n", encoding="utf-8")


def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES / "site"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _style_sheet() -> str:
    """The site's own sheet, and the colours of code for a light and a dark page."""
    own = (TEMPLATES / "site" / "style.css").read_text(encoding="utf-8")
    light, dark = (
        HtmlFormatter(style=name, cssclass="highlight").get_style_defs(".highlight")
        for name in ("friendly", "github-dark")
    )
    return f"{own}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _menu(pages: list[Page]) -> dict[str, list[Page]]:
    sections: dict[str, list[Page]] = {}
    for page in pages:
        sections.setdefault(page.section, []).append(page)
    return sections


@dataclass(frozen=True)
class Picture:
    """A picture of the front page."""

    path: str  # from reports/
    alt: str
    page: str  # that it comes from


def _pictures(reports: Path, pages: list[Page]) -> dict[str, Picture]:
    """All pictures that pages show from files: path under reports/ -> picture."""
    found: dict[str, Picture] = {}
    for page in pages:
        for path, alt in page.body.alts.items():
            inside = path.removeprefix("../")
            if path.startswith("../figures/") and (reports / inside).is_file():
                found.setdefault(inside, Picture(inside, alt, page.name))
    return found


def _key_picture(pictures: dict[str, Picture], cell: str, patterns: tuple[str, ...]) -> Picture | None:
    for pattern in patterns:
        for path, picture in sorted(pictures.items()):
            if Path(path).match(f"figures/*-{cell}/{pattern}"):
                return picture
    return None


def _front(
    templates: jinja2.Environment,
    home: Path,
    pages: list[Page],
    menu: dict[str, list[Page]],
    found: dict[str, dict[str, Any]],
    provenance: facts.Provenance,
) -> str:
    pictures = _pictures(home / "reports", pages)
    hero = next(filter(None, (_key_picture(pictures, cell, KEY_PICTURES) for cell in KEY_CELLS)), None)
    scores = facts.scores(home, found)
    still = tuple(pattern for pattern in KEY_PICTURES if not pattern.endswith(".gif"))
    cards = [
        {
            "name": dataset,
            "label": style.dataset_label(dataset),
            "picture": _key_picture(pictures, f"{dataset}-arvae", still),
            "scores": values,
            "metrics": list(dict.fromkeys(score.metric for score in values)),
            "pages": [p for p in pages if dataset in p.name.split("-")[1:2]],
        }
        for dataset, values in scores.items()
    ]
    told = {**dict(SECTIONS.values()), DOCS: DOCS_TOLD}
    story = {section: told.get(section, members[0].body.lead) for section, members in menu.items()}
    return templates.get_template("index.html.j2").render(
        menu=menu, here="", up="", pages="pages/", provenance=provenance, hero=hero, cards=cards, story=story,
        schematic=next((p for path, p in pictures.items() if "schematic" in path), None),
        boxes=next((p for path, p in pictures.items() if path.startswith("figures/results/")), None),
        loss=math(LOSS, display=True), term=math(TERM, display=True), m=lambda source: math(source, False),
        others=_others(home / "reports"),
        tables=[f"tables/{path.name}" for path in sorted((home / "reports" / "tables").glob("*.csv"))],
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
