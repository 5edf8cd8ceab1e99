"""Is the finished site whole? Every link, picture and anchor, and the sizes."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

PAGE_LIMIT = 4_000_000  # bytes of a page; one with sound in it has some 2.5 MB
ALONE_LIMIT = 15_000_000  # bytes of a page that carries trained decoders in itself (the playground)
FIGURE_LIMIT = 500_000  # bytes of a figure
REPORTS_LIMIT = 30_000_000  # bytes of reports/ in all


class SiteError(ValueError):
    """The site cannot be built as it should be; the message lists every fault, a line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("the site has faults:\n" + "\n".join(f"  {fault}" for fault in self.faults))


def check(reports: Path, total_limit: int = REPORTS_LIMIT) -> None:
    """Raise SiteError that lists every link to nothing, picture without alt text, and file too large."""
    pages = [reports / "index.html", *sorted((reports / "pages").glob("*.html"))]
    soups = {page: BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser") for page in pages}
    anchors = {
        page.resolve(): {str(tag["id"]) for tag in soup.select("[id]")} for page, soup in soups.items()
    }
    faults = [fault for page, soup in soups.items() for fault in _page(page, soup, anchors)]
    faults += sizes(reports, total_limit)
    if faults:
        raise SiteError(faults)


def _page(page: Path, soup: BeautifulSoup, anchors: dict[Path, set[str]]) -> list[str]:
    faults = []
    for tag in soup.find_all(True):
        if tag.find_parent("svg"):
            continue
        for attribute in ("src", "href", "poster"):
            value = str(tag.get(attribute) or "")
            parts = urlsplit(value)
            if (
                not value
                or parts.scheme == "data"
                or (tag.name == "a" and parts.scheme in ("http", "https", "mailto"))
            ):
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
            if parts.scheme or not target.exists():
                faults.append(f"{page.name}: {value[:80]} does not exist here")
            elif parts.fragment and target in anchors and unquote(parts.fragment) not in anchors[target]:
                faults.append(f"{page.name}: {value} points to no heading")
    faults += [
        f"{page.name}: {str(image.get('src'))[:60]} has no alt text"
        for image in soup.find_all("img")
        if not str(image.get("alt") or "").strip()
    ]
    if soup.find("script"):
        faults.append(f"{page.name}: holds a script")
    return faults


def sizes(reports: Path, total_limit: int = REPORTS_LIMIT) -> list[str]:
    """The pages, figures and the whole that are larger than they may be."""
    faults = []
    for path in sorted(p for p in reports.rglob("*") if p.is_file()):
        size, parts = path.stat().st_size, path.relative_to(reports).parts
        limit = {".html": PAGE_LIMIT}.get(path.suffix)
        if parts == ("playground.html",):
            limit = ALONE_LIMIT
        if "figures" in parts[:2]:
            limit = FIGURE_LIMIT
        if limit and size > limit:
            faults.append(f"{path.relative_to(reports)} has {size:,} bytes, more than {limit:,}")
    total = sum(path.stat().st_size for path in reports.rglob("*") if path.is_file())
    if total > total_limit:
        faults.append(f"reports/ has {total:,} bytes, more than {total_limit:,}: draw less or smaller")
    return faults
