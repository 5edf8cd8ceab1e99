"""Is the finished site whole? Its anchors, alt texts and sizes."""

from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

PAGE_LIMIT = 4_000_000  # bytes of a page; one with sound in it has some 2.5 MB
ALONE_LIMIT = 15_000_000  # bytes of a page that carries trained decoders in itself (the playground)
FIGURE_LIMIT = 500_000  # bytes of a figure
REPORTS_LIMIT = 50_000_000  # bytes of a folder of reports: one playground page, or 28 setups of the studies


class SiteError(ValueError):
    """The site cannot be built as it should be; the message lists every fault, a line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("the site has faults:\n" + "\n".join(f"  {fault}" for fault in self.faults))


class _Page(HTMLParser):
    """The ids of a page, its links to headings, and its pictures without alt text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.silent: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "a" and "#" in given.get("href", ""):
            self.links.append(given["href"])
        if tag == "img" and not given.get("alt", "").strip():
            self.silent.append(given.get("src", ""))


def check(reports: Path, total_limit: int = REPORTS_LIMIT) -> None:
    """Raise SiteError that lists every picture without alt text, link to no heading, and file too large.

    That linked files exist is found out by `convert`, when a page is made.
    """
    files = [reports / "index.html", *sorted((reports / "pages").glob("*.html"))]
    pages = {path.resolve(): _Page(path.read_text("utf-8")) for path in files}
    faults = sizes(reports, total_limit)
    for path, page in pages.items():
        for link in page.links:
            file, _, heading = unquote(link).partition("#")
            target = (path.parent / file).resolve() if file else path
            if target in pages and heading not in pages[target].ids:
                faults.append(f"{path.name}: {link} points to no heading")
        faults += [f"{path.name}: {source[:60]} has no alt text" for source in page.silent]
    if faults:
        raise SiteError(faults)


def sizes(reports: Path, total_limit: int = REPORTS_LIMIT) -> list[str]:
    """The pages, figures and the whole that are larger than they may be."""
    found = {path.relative_to(reports): path.stat().st_size for path in reports.rglob("*") if path.is_file()}
    faults = [
        f"{path} has {size:,} bytes, more than {_limit(path):,}"
        for path, size in sorted(found.items())
        if size > _limit(path)
    ]
    total = sum(found.values())
    if total > total_limit:
        faults.append(f"reports/ has {total:,} bytes, more than {total_limit:,}: draw less or smaller")
    return faults


def _limit(path: Path) -> float:
    """Bytes that a file of the reports may have."""
    if "figures" in path.parts[:2]:
        return FIGURE_LIMIT
    if path.name == "playground.html":
        return ALONE_LIMIT
    return PAGE_LIMIT if path.suffix == ".html" else float("inf")
