"""Builds reports/pages and reports/index.html from the executed notebooks and the docs."""

from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from pygments.formatters import HtmlFormatter

from arvae import machine, paths
from arvae.files import write_text
from arvae.report.site import provenance
from arvae.report.site.checking import REPORTS_LIMIT, SiteError, check
from arvae.report.site.convert import TEMPLATES, Body, Converter, way
from arvae.report.site.order import DOCS, SECTIONS, place, rank

STUDIES = "studies/reports"  # what goes further than the paper has pages of its own


@dataclass(frozen=True)
class Page:
    """One page of the site and its place in the report."""

    name: str  # reports/pages/<name>.html
    section: str
    label: str  # in the menu
    source: Path
    body: Body

    @property
    def kicker(self) -> str:
        """The line over the page's heading: where in the report it stands; none over the front page."""
        return self.section if self.label == self.section else f"{self.section} · {self.label}"

    @property
    def href(self) -> str:
        """The page as another in reports/pages links it."""
        return f"{self.name}.html" if self.section else "../index.html"


def contents(reports: Path | str = "reports") -> str:
    """All pages of `reports`, section by section with what it is about, as Markdown for the front page.

    Called in a notebook in notebooks/; the links are to pages that `build` writes afterwards.
    """
    home = paths.root()
    sections: dict[str, list[str]] = {}
    for path in _notebooks(home / reports):
        section, label = place(path.stem)
        sections.setdefault(section, []).append(f"[{label}](../{reports}/pages/{path.stem}.html)")
    if _document(home, home / reports):
        sections[DOCS] = [f"[{DOCS}](../{reports}/pages/your-own-data.html)"]
    about = dict([*SECTIONS.values(), (DOCS, "Three steps to a data set and attributes of your own.")])
    return "\n".join(
        f"1. **{section}**. {about.get(section, '')} {' · '.join(links)}"
        for section, links in sections.items()
    )


def _notebooks(reports: Path) -> list[Path]:
    return sorted((reports / "notebooks").glob("*.ipynb"), key=lambda path: rank(path.stem))


def _document(home: Path, reports: Path) -> Path | None:
    """The one page that is written in Markdown; it ends the main report."""
    path = home / "docs" / "your_own_data.md"
    return path if path.is_file() and reports == home / "reports" else None


def collect(home: Path, reports: Path) -> list[Page]:
    """Convert the front page, reports/index.ipynb, and every notebook of reports/notebooks, in order."""
    books = _notebooks(reports)
    if not books or not (reports / "index.ipynb").is_file():
        where = reports.relative_to(home)
        raise SiteError([f"{where} holds no index.ipynb or no notebooks/*.ipynb: run `dvc repro` first"])
    named = {path.stem: place(path.stem) for path in books}
    document = _document(home, reports)
    named |= {"your-own-data": (DOCS, DOCS)} if document else {}
    converter = Converter(home, reports, {reports / "pages" / f"{name}.html" for name in named})
    index = reports / "index.ipynb"
    front = Page("index", "", "", index, converter.notebook(index, "."))
    bodies = [converter.notebook(path) for path in books]
    bodies += [converter.document(document)] if document else []
    sources = [*books, *filter(None, [document])]
    return [front] + [
        Page(name, *words, source, body)
        for (name, words), source, body in zip(named.items(), sources, bodies, strict=True)
    ]


def build(
    home: Path | str | None = None, limit: int = REPORTS_LIMIT, reports: Path | str = "reports"
) -> pd.DataFrame:
    """Write pages/*.html, pages/style.css, index.html and machine/index.html in reports/; check the pages.

    Args:
        home: the project's root, default the one above the working directory.
        reports: the folder, from the root, with the notebooks/, metrics/, ... to show: reports or STUDIES,
            whose pages lead back to the main report.
        limit: bytes that reports/ may have in all.

    Returns:
        A line a page: section, page, kB.

    Raises:
        SiteError: lists every fault: a failed notebook, a link to nothing, a picture missing or without alt
            text, an equation not understood, a file too large.
    """
    home = paths.root() if home is None else Path(home).resolve()
    reports = home / reports
    aside = reports != home / "reports"
    pages = collect(home, reports)
    faults = [fault for page in pages for fault in page.body.faults]
    if faults:
        raise SiteError(faults)
    folder = reports / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.html"):
        if old.stem not in {page.name for page in pages}:
            old.unlink()
    write_text(folder / "style.css", _style_sheet())
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES / "site"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    template = templates.get_template("page.html.j2")
    menu: dict[str, list[Page]] = {}
    for page in pages[1:]:
        menu.setdefault(page.section, []).append(page)
    code, metrics = provenance.commit(home), provenance.metrics(reports)
    written = {}
    for number, page in enumerate(pages):
        target = folder / f"{page.name}.html" if number else reports / "index.html"
        written[target] = template.render(
            page=page, menu=menu, up="../" if number else "", pages="" if number else "pages/",
            front="Further studies" if aside else "Overview",
            main=way(target.parent, home / "reports" / "index.html") if aside else "",
            studies="" if aside or not (home / STUDIES / "index.html").is_file()
            else way(target.parent, home / STUDIES / "index.html"),
            before=pages[number - 1] if number else None,
            after=pages[number + 1] if number + 1 < len(pages) else None,
            provenance=provenance.made_by(metrics, page.name, code), source=way(target.parent, page.source),
        )  # fmt: skip
    times = templates.get_template("machine.html.j2").render(rows=provenance.machines(reports))
    for target, text in (written | {reports / machine.FOLDER / "index.html": times}).items():
        write_text(target, text.rstrip() + "\n")
    check(reports, limit)
    kilobytes = [round(target.stat().st_size / 1000) for target in written]
    table = {
        "section": [p.section for p in pages],
        "page": [p.label or "Overview" for p in pages],
        "kB": kilobytes,
    }
    return pd.DataFrame(table)


def _style_sheet() -> str:
    """The site's own sheet, and the colours of code for a light and a dark page."""
    own = (TEMPLATES / "site" / "style.css").read_text(encoding="utf-8")
    light, dark = (
        HtmlFormatter(style=name, cssclass="highlight").get_style_defs(".highlight")
        for name in ("friendly", "github-dark")
    )
    return f"{own}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
