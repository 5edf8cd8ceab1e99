"""Starts headless Chromium and looks at pages in it (see `tests.tab`); no driver or other package needed."""

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.tab import Tab

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip
# What is wrong with the page as it stands: pictures that did not load, and what sticks out to the right.
LOOK = """(() => {
  const broken = [...document.images].filter(i => !(i.complete && i.naturalWidth > 0))
    .map(i => i.getAttribute('src').slice(0, 80));
  const width = document.documentElement.clientWidth;
  const wide = document.documentElement.scrollWidth > width || document.body.scrollWidth > width;
  const sticks = e => e.getBoundingClientRect().right > width + 1
    && !e.closest('.scroll, .math, pre, .highlight');
  const out = wide ? [...document.querySelectorAll('main *')].filter(sticks)
    .map(e => e.outerHTML.slice(0, 80)) : [];
  return JSON.stringify({broken, wide, out, width, images: document.images.length, title: document.title});
})()"""

# Texts, and the ink of scores, whose contrast with what lies behind them is under 4.5 : 1.
FAINT = """(() => {
  const channels = colour => {
    const found = colour.match(/[\\d.]+/g).map(Number);
    return [...found.slice(0, 3), found.length > 3 ? found[3] : 1];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a)).concat(1);
  const behind = e => {
    const layers = [];
    for (; e; e = e.parentElement) {
      layers.push(channels(getComputedStyle(e).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    const paper = matchMedia('(prefers-color-scheme: dark)').matches ? 18 : 255;
    return layers.reverse().reduce((under, layer) => over(layer, under), [paper, paper, paper, 1]);
  };
  const light = colour => colour.slice(0, 3).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const faint = {};
  const check = (e, ink, what) => {
    const below = behind(e), a = light(over(channels(ink), below)), b = light(below);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const name = `${e.outerHTML.slice(0, 40)} ${ink} on ${below.slice(0, 3).map(Math.round)}`;
    if (ratio < 4.5) faint[`${e.tagName} ${ink}`] ??= `${name}: ${ratio.toFixed(2)} "${what}"`;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; text = texts.nextNode();) {
    const e = text.parentElement;
    if (!text.data.trim() || e.closest('script, style, noscript, title, svg')) continue;
    check(e, getComputedStyle(e).color, text.data.trim().slice(0, 30));
  }
  for (const e of document.querySelectorAll('main svg :is(path, text, use, rect, polygon)')) {
    const {fill, stroke} = getComputedStyle(e);
    const ink = fill !== 'none' ? fill : stroke;
    if (ink !== 'none' && !e.closest('defs')) check(e, ink, 'drawn');
  }
  return JSON.stringify(Object.values(faint));
})()"""


def chromium() -> str | None:
    """The program, if there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Seen:
    """What the browser says of a page at one width."""

    title: str
    images: int
    width: int
    broken: list[str]
    wide: bool
    out: list[str]
    faint: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    picture: bytes = b""


@contextlib.contextmanager
def running(program: str) -> Iterator[str]:
    """Start the browser with an empty profile; gives the address of its debugging port."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = Path(profile) / "DevToolsActivePort"
            limit = time.monotonic() + 60
            while not (port.is_file() and port.read_text().count("\n")):
                if process.poll() is not None or time.monotonic() > limit:
                    raise RuntimeError(f"{program} does not start")
                time.sleep(0.1)
            yield f"127.0.0.1:{port.read_text().splitlines()[0]}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def look(
    address: str, page: Path, width: int, height: int = 844, picture: bool = False, dark: bool = False
) -> Seen:
    """Open a page file at a width in CSS pixels and say what is wrong with it."""
    (seen,) = looks(address, page, [(width, dark)], height, picture)
    return seen


def looks(
    address: str, page: Path, views: Sequence[tuple[int, bool]], height: int = 844, picture: bool = False
) -> list[Seen]:
    """The same, loaded once and seen at several widths, light or dark: (width, dark)."""
    tab = Tab(address)
    found = []
    try:
        tab.open(page, views[0][0], height, views[0][1])
        for width, dark in views:
            tab.view(width, height, dark)
            seen = Seen(**json.loads(tab.run(LOOK)))
            seen.faint = json.loads(tab.run(FAINT))
            seen.console = tab.complaints()
            if picture:
                seen.picture = tab.picture()
            found.append(seen)
        return found
    finally:
        tab.close()
