"""One executed notebook, or one Markdown file, as the HTML of a page's body."""

import hashlib
import html
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup, Tag
from latex2mathml.converter import convert as to_mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from traitlets.config import Config

from arvae import paths

TEMPLATES = Path(__file__).parents[1] / "templates"
# What is shown of an output that comes in several forms, the first that there is.
SHOWN = (
    "image/gif", "image/svg+xml", "image/png", "image/jpeg", "text/html", "text/markdown", "text/latex",
    "text/plain",
)  # fmt: skip
MEDIA = {".png", ".gif", ".jpg", ".jpeg", ".svg", ".wav", ".mp3", ".ogg", ".mid", ".midi"}
DROPPED = ("script", "iframe", "object", "embed", "link", "meta", "base", "form")


@dataclass(frozen=True)
class Body:
    """What a page shows: its elements (`arrange.arranged` puts them in order), its title, what was wrong."""

    soup: BeautifulSoup
    title: str
    faults: tuple[str, ...]


def math(source: str, display: bool) -> str:
    """An equation in LaTeX as MathML; one that is not understood is a ValueError that quotes it."""
    written = to_mathml(source.strip(), display="block" if display else "inline")
    if "\\" in written or "<mi>&</mi>" in written:
        raise ValueError(
            f"the equation {source.strip()!r} uses LaTeX that has no MathML here: write it simpler"
        )
    return f'<div class="math">{written}</div>' if display else written


class _Renderer(IPythonRenderer):
    """Markdown to HTML with equations as MathML; one that fails is marked and reported by Converter."""

    def block_math(self, body: str) -> str:
        return self._math(body, True)

    def inline_math(self, body: str) -> str:
        return self._math(body, False)

    def latex_environment(self, name: str, body: str) -> str:
        return self._math(f"\\begin{{{name}}}{body}\\end{{{name}}}", True)

    def _math(self, body: str, display: bool) -> str:
        try:
            return math(html.unescape(body), display)
        except Exception as error:  # the library raises many kinds
            return f'<span class="fault">{html.escape(str(error) or repr(error))}</span>'


def markdown(source: str) -> str:
    """Markdown, with equations between dollars, as HTML."""
    renderer = _Renderer(escape=False, exclude_anchor_links=True)
    return MarkdownWithMath(renderer=renderer).render(source)


def pick(output: dict[str, Any]) -> str:
    """The form in which an output is shown."""
    return next((kind for kind in SHOWN if kind in output["data"]), "text/plain")


def data_uri(content: bytes | str, kind: str) -> str:
    """A picture as a data URI: base64 text as notebooks hold it, or SVG source."""
    if kind == "image/svg+xml":
        source = content.encode() if isinstance(content, str) else content
        return f"data:{kind};base64,{b64encode(source).decode()}"
    return f"data:{kind};base64,{''.join(str(content).split())}"


def alt_text(output: dict[str, Any], kind: str, cell: dict[str, Any]) -> str:
    """What stands for a picture: the text given with it; for SVG also its <title>."""
    given = output.get("metadata", {})
    text = given.get(kind, {}).get("alt") or given.get("alt") or cell.get("metadata", {}).get("alt")
    if not text and kind == "image/svg+xml":
        title = re.search(r"<title[^>]*>([^<]+)</title>", output["data"][kind])
        text = title.group(1) if title else ""
    return str(text or "")


class Converter:
    """Turns notebooks and Markdown files of the project at `home` into page bodies.

    Pictures and sounds that a notebook carries and that stand as a file under `reports` too (the same bytes),
    or under the reports of a home inside this one, are linked, not repeated. reports: where the pages'
    notebooks are; pages: files that may be linked although they are still to be written.
    """

    def __init__(self, home: Path, reports: Path, pages: Collection[Path] = ()) -> None:
        self.home, self.reports, self.pages = home, reports, pages
        self.files: dict[bytes, list[Path]] = {}
        for folder in dict.fromkeys([reports, *sorted(home.glob("*/reports"))]):
            for path in sorted(folder.rglob("*")):
                if path.suffix in MEDIA and path.is_file():
                    self.files.setdefault(hashlib.sha256(path.read_bytes()).digest(), []).append(path)
        options = Config({"HTMLExporter": {"exclude_anchor_links": True}})
        self.exporter = HTMLExporter(
            config=options, template_name="notebook", extra_template_basedirs=[str(TEMPLATES)]
        )
        for function in (markdown, pick, data_uri, alt_text):
            self.exporter.register_filter(function.__name__, function)

    def notebook(self, path: Path, folder: str = "pages") -> Body:
        """The page of an executed notebook, to stand in `folder` of the reports.

        Its links are read as relative to notebooks/, as if its home had that folder too, or to itself.
        """
        book = nbformat.read(path, as_version=4)
        written, _ = self.exporter.from_notebook_node(book)
        errors = [
            f"{path.name}: cell {number} failed with {output['ename']}: {output['evalue']}"
            for number, cell in enumerate(book.cells)
            for output in cell.get("outputs", [])
            if output["output_type"] == "error"
        ]
        bases = (self.home / "notebooks", paths.project(self.home) / "notebooks", path.parent, self.home)
        return self._finish(written, path, bases, self.reports / folder, errors)

    def document(self, path: Path, text: str) -> Body:
        """The page of a Markdown file that holds `text`."""
        written = f'<section class="prose">{markdown(text)}</section>'
        bases = (path.parent, paths.project(self.home))
        return self._finish(written, path, bases, self.reports / "pages", [])

    def _finish(
        self, written: str, path: Path, bases: Sequence[Path], folder: Path, faults: list[str]
    ) -> Body:
        soup = BeautifulSoup(written, "html.parser")
        for rest in soup.find_all(fill="#909090"):  # of an empty measure: verovio's grey is too faint to read
            rest["fill"] = rest["stroke"] = "#606060"
        faults += [f"{path.name}: {mark.get_text()}" for mark in soup.select(".fault")]
        _clean(soup)
        for tag, attribute in _references(soup):
            fault = self._resolve(tag, attribute, bases, folder, path.stem)
            faults += [f"{path.name}: {fault}"] if fault else []
        heading = soup.find("h1")
        if heading is None:
            faults.append(f"{path.name}: no heading: its first cell must begin with '# '")
        return Body(soup, heading.get_text().strip() if heading else path.name, tuple(faults))

    def _resolve(self, tag: Tag, attribute: str, bases: Sequence[Path], folder: Path, stage: str) -> str:
        """Make one reference right for a page in `folder`; what is wrong with it, else nothing."""
        value = str(tag[attribute]).strip()
        parts = urlsplit(value)
        if parts.scheme == "data":
            file = self._file(value, stage)
            if file:
                tag[attribute] = way(folder, file)
            return ""
        if parts.scheme in ("http", "https", "mailto"):
            return "" if tag.name == "a" else f"{value} is on another host: the pages must work offline"
        if parts.scheme or value.startswith("/"):
            return f"the link {value} is neither of this project nor of the web"
        if not parts.path:
            return ""  # an anchor of this page: checked with the finished site
        for base in bases:
            target = (base / unquote(parts.path)).resolve()
            if target in self.pages or (target.exists() and target.is_relative_to(paths.project(self.home))):
                tag[attribute] = way(folder, target) + (f"#{parts.fragment}" if parts.fragment else "")
                return ""
        return f"{value} does not exist"

    def _file(self, uri: str, stage: str) -> Path | None:
        """The file under reports/ with a data URI's content; of several, the one in the stage's folder."""
        head, _, content = uri.partition(",")
        if not head.endswith(";base64"):
            return None
        found = self.files.get(hashlib.sha256(b64decode(content)).digest(), [])
        return min(found, key=lambda path: stage not in path.parts, default=None)


def way(folder: Path, target: Path) -> str:
    """How a page in `folder` links `target`."""
    return Path(os.path.relpath(target, folder)).as_posix()


def _references(soup: BeautifulSoup) -> Iterator[tuple[Tag, str]]:
    for tag in soup.find_all(True):
        for attribute in ("src", "href", "poster"):
            if tag.has_attr(attribute) and not (tag.name == "use" or tag.find_parent("svg")):
                yield tag, attribute


def _clean(soup: BeautifulSoup) -> None:
    """Take out what could run, and the style that pandas gives every table."""
    for tag in soup.find_all(DROPPED):
        tag.decompose()
    for tag in soup.find_all("style"):
        if "dataframe" in tag.get_text():
            tag.decompose()
    for tag in soup.find_all(True):
        for attribute in [a for a in tag.attrs if a.lower().startswith("on")]:
            del tag[attribute]
        if str(tag.get("href", "")).strip().lower().startswith("javascript:"):
            del tag["href"]
        if tag.name == "table":
            tag.attrs.pop("border", None)
