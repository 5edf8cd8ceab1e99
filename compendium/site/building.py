"""Builds reports/pages and reports/index.html from the executed notebooks and the docs."""

import hashlib
import json
import re
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from bs4 import BeautifulSoup
from pygments.formatters import HtmlFormatter

from arvae import machine, paths
from arvae.files import write_text
from compendium import findings
from compendium.site import order, provenance
from compendium.site.arrange import Arranged, arranged
from compendium.site.checking import REPORTS_LIMIT, SiteError, check
from compendium.site.convert import TEMPLATES, Body, Converter, markdown, way

STUDIES = "studies/reports"  # what goes further than the paper has pages of its own
OVERNIGHT = "overnight/reports"  # so have the same setups, trained longer: a home inside the project
CITE = TEMPLATES / "site" / "cite.md"
OF_ALL = ("results", "baselines")  # pages whose numbers are of all setups
GLOSSARY = TEMPLATES / "site" / "glossary.md"


@dataclass(frozen=True)
class Page:
    """One page of the site and its place in the report."""

    name: str  # reports/pages/<name>.html
    group: str  # of the menu; "" for the front page
    label: str  # in the menu
    source: Path
    title: str
    parts: Arranged

    @property
    def file(self) -> str:
        """The page's file, from the folder of reports."""
        return f"pages/{self.name}.html" if self.group else "index.html"


def contents(reports: Path | str = "reports") -> str:
    """All pages of `reports`, group by group, as Markdown for the front page.

    Called in a notebook in notebooks/; the links are to pages that `build` writes afterwards.
    """
    home = paths.root()
    groups: dict[str, list[str]] = {}
    for name in [*(path.stem for path in _notebooks(home / reports)), *_documents(home, home / reports)]:
        group, label, _ = order.place(name)
        groups.setdefault(group, []).append(f"[{label}](../{reports}/pages/{name}.html)")
    return "\n".join(f"* **{group}**: {' · '.join(links)}" for group, links in groups.items())


def _notebooks(reports: Path) -> list[Path]:
    return sorted((reports / "notebooks").glob("*.ipynb"), key=lambda path: order.rank(path.stem))


def _documents(home: Path, reports: Path) -> dict[str, Path]:
    """The pages that are written in Markdown, by name."""
    found = {"glossary": GLOSSARY}
    if reports == home / "reports":
        found = {"your-own-data": paths.project(home) / "docs" / "your_own_data.md", **found, "cite": CITE}
    return {name: path for name, path in found.items() if path.is_file()}


def glossary() -> dict[str, str]:
    """Word -> its explanation."""
    soup = BeautifulSoup(markdown(GLOSSARY.read_text(encoding="utf-8")), "html.parser")
    entries = [(entry.strong.get_text(), entry.get_text()) for entry in soup.select("li:has(> strong)")]
    return {word: re.sub(r"\s+", " ", text) for word, text in entries}


def collect(home: Path, reports: Path) -> list[Page]:
    """Convert the front page, reports/index.ipynb, and every notebook of reports/notebooks, in order."""
    books = _notebooks(reports)
    index = reports / "index.ipynb"
    if not books or not index.is_file():
        where = reports.relative_to(home)
        raise SiteError([f"{where} holds no index.ipynb or no notebooks/*.ipynb: run `dvc repro` first"])
    documents = _documents(home, reports)
    sources = {path.stem: path for path in books} | documents
    converter = Converter(
        home, reports, {reports / "pages" / f"{name}.html" for name in [*sources, "search"]}
    )
    words = glossary()
    faults: list[str] = []

    def page(name: str, group: str, label: str, title: str, source: Path, body: Body) -> Page:
        faults.extend(body.faults)
        folder, known = (reports / "pages", "glossary.html") if group else (reports, "pages/glossary.html")
        parts = arranged(body.soup, title, folder, {} if name == "glossary" else words, known)
        return Page(name, group, label, source, title or body.title, parts)

    pages = [page("index", "", "", "", index, converter.notebook(index, "."))]
    for name in sorted(sources, key=order.rank):
        source = sources[name]
        text = source.read_text(encoding="utf-8") if name in documents else ""
        if name == "cite":
            text = jinja2.Template(text).render(provenance.sources(home))
        body = converter.document(source, text) if name in documents else converter.notebook(source)
        pages.append(page(name, *order.place(name), source, body))
    if faults:
        raise SiteError(faults)
    return pages


def build(
    home: Path | str | None = None, limit: int = REPORTS_LIMIT, reports: Path | str = "reports"
) -> pd.DataFrame:
    """Write pages/*.html, pages/style.css, index.html and machine/index.html in reports/; check the pages.

    Args:
        home: the project's root, default the one above the working directory.
        reports: the folder, from the root, with the notebooks/, metrics/, ... to show: reports or STUDIES.
            The menus of the project's sites lead to one another.
        limit: bytes that reports/ may have in all.

    Returns:
        A line a page: group, page, kB.

    Raises:
        SiteError: lists every fault: a failed notebook, a link to nothing, a picture missing or without alt
            text, an equation not understood, a file too large.
    """
    home = paths.root() if home is None else Path(home).resolve()
    reports = home / reports
    pages = collect(home, reports)
    folder = reports / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.html"):
        if old.stem not in {"search", *(page.name for page in pages)}:
            old.unlink()
    write_text(folder / "style.css", _style_sheet())
    script = (TEMPLATES / "site" / "page.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES / "site"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    menu: dict[str, list[Page]] = {}
    for page in pages[1:]:
        menu.setdefault(page.group, []).append(page)
    code, metrics = provenance.commit(home), provenance.metrics(reports)
    shown = metrics  # on the front page: its numbers are those of the longest trainings
    if reports == home / "reports":
        shown = provenance.metrics(findings.longest(home, list(metrics)) / "reports")
    sites = {name: paths.project(home) / name for name in ("reports", OVERNIGHT, STUDIES)}
    front = {sites[STUDIES]: "Further studies", sites[OVERNIGHT]: "Overnight report"}.get(reports, "Overview")
    shared = {
        "menu": menu, "front": front, "script": script,
        "hash": f"sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
    }  # fmt: skip

    def links(at: Path) -> dict[str, str]:
        """What every page links besides the others, for one in the folder `at`."""
        up = "" if at == reports else "../"
        main, night, further = sites.values()

        def to(*files: Path) -> str:
            """The first of the files that is there, and not the page's own front."""
            own = reports / "index.html"
            return next((way(at, file) for file in files if file.is_file() and file != own), "")

        return {
            "up": up,
            "pages": f"{up}pages/",
            "main": to(main / "index.html"),
            "overnight": to(night / "index.html"),
            "studies": to(further / "index.html"),
            "cite": way(at, home / "reports" / "pages" / "cite.html"),
            # the longest trained models there are
            "playground": to(night / "playground.html", main / "playground.html"),
            "reference": to(main / "pages" / "api" / "arvae.html"),
        }

    top = paths.project(home)
    place, settings = (path.relative_to(top).as_posix() for path in (reports.parent, home / "params.yaml"))
    command = "dvc repro" if place == "." else f"dvc repro {place}/dvc.yaml"
    written = {}
    for number, page in enumerate(pages):
        target = reports / page.file
        setup = order.setup(page.name)
        about = provenance.made_by(metrics if number else shown, setup, code)
        written[target] = environment.get_template("page.html.j2").render(
            shared, page=page, before=pages[number - 1] if number else None,
            after=pages[number + 1] if number + 1 < len(pages) else None,
            runs=about["runs"] if setup or page.name in OF_ALL else "", made=about["made"],
            downloads=provenance.downloads(reports, page.name, setup),
            source=way(target.parent, page.source), settings=settings, command=command,
            **links(target.parent),
        )  # fmt: skip
    written[reports / machine.FOLDER / "index.html"] = environment.get_template("machine.html.j2").render(
        shared,
        page=None,
        rows=provenance.machines(reports),
        hours=provenance.hours(reports),
        **links(reports / machine.FOLDER),
    )
    index = [[page.title, f"../{page.file}", *text] for page in pages for text in page.parts.texts if text[2]]
    written[folder / "search.html"] = environment.get_template("search.html.j2").render(
        shared,
        page=None,
        index=json.dumps(index, ensure_ascii=False).replace("<", "\\u003c"),
        **links(folder),
    )
    for target, text in written.items():
        write_text(target, text.rstrip() + "\n")
    check(reports, limit)
    table = {
        "group": [p.group for p in pages],
        "page": [p.label or "Overview" for p in pages],
        "kB": [round((reports / p.file).stat().st_size / 1000) for p in pages],
    }
    return pd.DataFrame(table)


def _style_sheet() -> str:
    """The site's own sheet, and the colours of code for a light and a dark page."""
    own = (TEMPLATES / "site" / "style.css").read_text(encoding="utf-8")
    light, dark = (
        HtmlFormatter(style=name, cssclass="highlight").get_style_defs(".highlight")
        for name in ("default", "github-dark")
    )
    return f"{own}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
