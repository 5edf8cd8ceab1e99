"""Puts a page in order: numbered captions, code and logs at its foot, its sections, explained words."""

import re
import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag

from compendium.figures import animation

MANY_COLUMNS = 9  # that a table needs smaller print for
UNREAD = {"h1", "h2", "svg", "math", "style"}  # by the search
LEFT_ALONE = {"a", "code", "pre", "h1", "h2", "h3", "h4", "summary", "math", "svg", "label", "style"}


@dataclass(frozen=True)
class Arranged:
    """The parts of a page: what is read, the code and logs behind it, its sections (id, words), its text."""

    html: str
    appendix: str
    sections: list[tuple[str, str]]
    description: str
    texts: list[tuple[str, str, str]]  # id, heading and words of each section, for the search


def arranged(
    soup: BeautifulSoup, heading: str, folder: Path, glossary: Mapping[str, str], to_glossary: str
) -> Arranged:
    """Arrange a converted page.

    heading: replaces the notebook's own, "" keeps it; folder: where the page will stand; glossary: word ->
    explanation, empty where the page is the glossary itself; to_glossary: how the page links that.
    """
    if heading and soup.h1:
        soup.h1.string = heading
    appendix = _foot(soup)
    _wrap(soup)
    _captions(soup)
    _moving(soup, folder)
    _anchors(soup)
    texts = _texts(soup)
    first = next((p.get_text() for p in soup.find_all("p") if not p.find_parent("figure")), "")
    if glossary:
        _explain(soup, glossary, to_glossary)
    else:
        for entry in soup.select("li > strong:first-child"):
            entry.parent["id"] = slug(entry.get_text())
    sections = [(str(h["id"]), h.get_text()) for h in soup.find_all("h2")]
    decoded = soup.decode(formatter="minimal")
    description = textwrap.shorten(first, 300, placeholder=" ...")
    return Arranged(decoded, appendix, sections, description, texts)


def slug(words: str) -> str:
    """Words as an anchor's name."""
    return re.sub(r"[^a-z0-9βγδ]+", "-", words.lower()).strip("-") or "part"


def _foot(soup: BeautifulSoup) -> str:
    """Take the code of all cells, and what cells tagged `log` and long outputs printed, out of the text."""
    taken = []
    under = ""
    for part in soup.find_all("section"):
        heading = part.find_all(["h1", "h2", "h3"])
        under = heading[-1].get_text() if heading else under
        if "cell" not in part.get("class", []):
            continue
        code = part.select_one("details.code")
        logs = part.select("details.log") + (part.select("pre.out") if "logged" in part["class"] else [])
        number = len(taken) + 1
        code["id"] = f"code-{number}"
        code.summary.string = f"{number}. {under}{': parameters' * (code.summary.get_text() == 'parameters')}"
        for log in logs:
            code.append(log)
        taken.append(code.decode(formatter="minimal"))
        code.decompose()
        if part.find(True):
            link = soup.new_tag("a", attrs={"class": "to-code", "href": f"#code-{number}"})
            link.string = "code"
            part.append(link)
        else:
            part.decompose()
    return "\n".join(taken)


def _wrap(soup: BeautifulSoup) -> None:
    """Let wide tables scroll in a box that the keyboard reaches; give each one row of headings."""
    for table in soup.find_all("table"):
        if table.find_parent("table") is None:
            columns = max((len(row.find_all(["th", "td"])) for row in table.find_all("tr")), default=0)
            name = "scroll wide" if columns >= MANY_COLUMNS else "scroll"
            table.wrap(soup.new_tag("div", attrs={"class": name, "tabindex": "0"}))
        rows = [row.find_all("th") for row in table.select("thead tr")]
        # pandas writes the name of the index into a row of its own.
        if len(rows) == 2 and not rows[0][0].get_text() and not "".join(c.get_text() for c in rows[1][1:]):
            rows[0][0].string = rows[1][0].get_text()
            rows[1][0].parent.decompose()


def _captions(soup: BeautifulSoup) -> None:
    """Put each caption (`style.Captioned`) into the figure before it, with a number that is its link.

    Pictures without one are captioned with their alt text. Figures, tables and sounds are counted apart.
    """
    for caption in soup.select(".caption"):
        shown = caption.find_previous_sibling()
        if shown is None:
            continue
        figure = shown if shown.name == "figure" else shown.wrap(soup.new_tag("figure"))
        caption.name = "figcaption"
        del caption["class"]
        figure.append(caption)
    for image in soup.select("p > img:only-child"):
        if not image.parent.get_text(strip=True):
            image.parent.name = "figure"
    for image in soup.select("figure > img"):
        if not image.parent.figcaption:
            caption = soup.new_tag("figcaption")
            caption.string = f"{str(image.get('alt', '')).rstrip('.')}."
            image.parent.append(caption)
    count = Counter[str]()
    for figure in soup.select("figure:has(> figcaption)"):
        kind = "Table" if figure.table else "Sound" if figure.audio else "Figure"
        count[kind] += 1
        figure["id"] = f"{kind.lower()}-{count[kind]}"
        link = soup.new_tag("a", attrs={"class": "number", "href": f"#{figure['id']}"})
        link.string = f"{kind} {count[kind]}"
        text = figure.figcaption.p or figure.figcaption
        text.insert(0, link)
        link.insert_after(" ")


def _moving(soup: BeautifulSoup, folder: Path) -> None:
    """Figures link their files; a moving one names its strip of frames, which the page can stop and turn."""
    for image in soup.select("figure > img"):
        source = str(image["src"])
        if source.startswith("data:"):
            continue
        frames = animation.frames_of((folder / source).resolve())
        if frames:
            image["data-strip"], image["data-frames"] = animation.strip(source), str(frames)
        image.wrap(soup.new_tag("a", attrs={"class": "larger", "href": source, "title": "Open larger"}))


def _anchors(soup: BeautifulSoup) -> None:
    """Give every heading an id made of its words, so that it can be linked to."""
    used = Counter[str](str(tag["id"]) for tag in soup.select("[id]"))
    for heading in soup.find_all(["h2", "h3"]):
        if not heading.has_attr("id"):
            name = slug(heading.get_text())
            used[name] += 1
            heading["id"] = name if used[name] == 1 else f"{name}-{used[name]}"


def _texts(soup: BeautifulSoup) -> list[tuple[str, str, str]]:
    """Each section's id, heading and words; those before the first section go under the page's heading."""
    found = [("", soup.h1.get_text() if soup.h1 else "", [])]
    for text, heading in _under_headings(soup):
        if not text.strip() or {parent.name for parent in text.parents} & UNREAD:
            continue
        if heading is not None and heading["id"] != found[-1][0]:
            found.append((str(heading["id"]), heading.get_text(), []))
        found[-1][2].append(" ".join(text.split()))
    return [(name, heading, " ".join(words)) for name, heading, words in found]


def _under_headings(soup: BeautifulSoup) -> list[tuple[NavigableString, Tag | None]]:
    """All texts in order, each with the last h2 that begins before it."""
    heading, found = None, []
    for part in soup.descendants:
        if isinstance(part, NavigableString):
            found.append((part, heading))
        elif part.name == "h2":
            heading = part
    return found


def _explain(soup: BeautifulSoup, glossary: Mapping[str, str], to_glossary: str) -> None:
    """Let the first occurrence of a glossary's word in each section show its entry."""
    words = sorted(glossary, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, words))})(?![\w-])", re.IGNORECASE)
    known = {word.lower(): word for word in words}
    done: set[tuple[int, str]] = set()
    for text, heading in _under_headings(soup):
        if not pattern.search(text):
            continue
        around = {parent.name for parent in text.parents}
        if around & LEFT_ALONE or not around & {"p", "li", "th", "td"}:
            continue
        section = id(heading)
        pieces: list[NavigableString | Tag] = []
        for number, piece in enumerate(pattern.split(str(text))):
            word = known.get(piece.lower()) if number % 2 else None
            if word is None or (section, word) in done:
                pieces.append(NavigableString(piece))
                continue
            done.add((section, word))
            link = soup.new_tag(
                "a",
                attrs={"class": "term", "href": f"{to_glossary}#{slug(word)}", "data-tip": glossary[word]},
            )
            link.string = piece
            pieces.append(link)
        text.replace_with(*pieces)
