"""Builds reports/pages and reports/index.html from reports/notebooks, the docs and the metrics."""

import os
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from pygments.formatters import HtmlFormatter

from arvae import params, paths
from arvae.files import atomic_write
from arvae.report.site import facts
from arvae.report.site.checking import REPORTS_LIMIT, check
from arvae.report.site.convert import TEMPLATES, Body, Converter
from arvae.report.site.faults import SiteError
from arvae.report.site.front import front
from arvae.report.site.story import DOCS, place, rank, studies


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


def collect(home: Path, reports: Path) -> list[Page]:
    """Convert every executed notebook of `reports`, in the order of the story.

    The whole story, reports/, ends with docs/your_own_data.md.
    """
    converter = Converter(home, reports)
    books = sorted((reports / "notebooks").glob("*.ipynb"), key=lambda p: rank(p.stem))
    if not books:
        raise SiteError([f"{reports.relative_to(home)}/notebooks holds no notebook: run `dvc repro` first"])
    pages = []
    for path in books:
        _, section, label = place(path.stem)
        pages.append(Page(path.stem, section, label, path, converter.notebook(path)))
    own = home / "docs" / "your_own_data.md"
    if own.is_file() and reports == home / "reports":
        pages.append(Page("your-own-data", DOCS, DOCS, own, converter.document(own)))
    return pages


def build(
    home: Path | str | None = None, limit: int = REPORTS_LIMIT, reports: Path | str = "reports"
) -> pd.DataFrame:
    """Write pages/*.html, pages/style.css and index.html in reports/; check them all.

    Args:
        home: the project's root, default the one above the working directory.
        reports: the folder, from the root, with the notebooks/, metrics/, ... to show: reports or
            studies/reports, whose pages lead back to the story's.
        limit: bytes that reports/ may have in all.

    Returns:
        A line a page: section, page, kB.

    Raises:
        SiteError: lists every fault: a failed setup, a link to nothing, a picture missing or without alt
            text, an equation not understood, a file too large.
    """
    home = paths.root() if home is None else Path(home).resolve()
    reports = home / reports
    knobs = params.load(home / "params.yaml")
    code = facts.commit(home)
    found = facts.setups(reports)
    pages = collect(home, reports)
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
    menu, aside = _menu(pages), reports != home / "reports"
    for number, page in enumerate(pages):
        rests_on = [setup for name, setup in found.items() if _concerns(page.name, name)] or list(
            found.values()
        )
        text = templates.get_template("page.html.j2").render(
            page=page, body=page.body.html, menu=menu, here=page.name, up="../", pages="",
            story="../../../reports/index.html" if aside else "",
            studies="" if aside else studies(reports, "../"),
            before=pages[number - 1] if number else None,
            after=pages[number + 1] if number + 1 < len(pages) else None,
            provenance=facts.provenance(rests_on, knobs.scale, knobs.seeds, code),
            source=Path(os.path.relpath(page.source, folder)).as_posix(),
        )  # fmt: skip
        _write(folder / f"{page.name}.html", text)
    whole = facts.provenance(list(found.values()), knobs.scale, knobs.seeds, code)
    _write(reports / "index.html", front(templates, home, pages, menu, found, whole, reports))
    check(reports, limit)
    return pd.DataFrame(
        {
            "section": [page.section for page in pages],
            "page": [page.label for page in pages],
            "kB": [round((folder / f"{page.name}.html").stat().st_size / 1000) for page in pages],
        }
    )


def _concerns(page: str, setup: str) -> bool:
    """Does a page tell of a setup? train-mnist-arvae: of that one; data-mnist: of all of its data set."""
    stage, _, rest = page.partition("-")
    return rest == setup or (stage in ("data", "comparison") and setup.rpartition("-")[0] == rest)


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
