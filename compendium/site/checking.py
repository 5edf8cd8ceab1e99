"""Is the finished site whole? Its anchors, alt texts and sizes."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup

PAGE_LIMIT = 4_000_000  # bytes of a page; one with sound in it has some 2.5 MB
ALONE_LIMIT = 15_000_000  # bytes of a page that carries trained decoders in itself (the playground)
FIGURE_LIMIT = 500_000  # bytes of a figure
REPORTS_LIMIT = 50_000_000  # bytes of a folder of reports: one playground page, or 28 setups of the studies


class SiteError(ValueError):
    """The site cannot be built as it should be; the message lists every fault, a line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("the site has faults:\n" + "\n".join(f"  {fault}" for fault in self.faults))


def check(reports: Path, total_limit: int = REPORTS_LIMIT) -> None:
    """Raise SiteError that lists every picture without alt text, link to no heading, and file too large.

    That linked files exist is found out by `convert`, when a page is made.
    """
    pages = [reports / "index.html", *sorted((reports / "pages").glob("*.html"))]
    soups = {page.resolve(): BeautifulSoup(page.read_text("utf-8"), "html.parser") for page in pages}
    anchors = {page: {str(tag["id"]) for tag in soup.select("[id]")} for page, soup in soups.items()}
    faults = sizes(reports, total_limit)
    for page, soup in soups.items():
        for link in soup.select("a[href*='#']"):
            path, _, heading = unquote(str(link["href"])).partition("#")
            target = (page.parent / path).resolve() if path else page
            if target in anchors and heading not in anchors[target]:
                faults.append(f"{page.name}: {link['href']} points to no heading")
        faults += [
            f"{page.name}: {str(image.get('src'))[:60]} has no alt text"
            for image in soup.find_all("img")
            if not str(image.get("alt") or "").strip()
        ]
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
