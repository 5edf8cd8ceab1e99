"""How fast the playground's page answers, in headless Chromium: decoding, reading and encoding a tune.

python -m benchmarks.playground [reports/playground.html]
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

from arvae import paths
from tests.browser import chromium, running
from tests.tab import Tab

BARS = 32
# Measures of notes on every eighth, no two alike: none is encoded or decoded for another one.
TUNE = "X:1\nM:4/4\nL:1/8\nK:C\n" + "".join(
    "".join("CDEFGABcdefgab"[(bar * k + k) % 14] for k in range(1, 9)) + "|" for bar in range(BARS)
)
DECODE = """(() => {
    const found = {};
    for (const [name, { check: { z } }] of Object.entries(data.models)) {
        found[name] = Array.from({ length: 40 }, (_, i) => {
            const began = performance.now();
            playground.decoders[name](z[i % z.length]);
            return performance.now() - began;
        });
    }
    return found;
})()"""
ENCODE = """(async (text, bars) => {
    const found = {}, panel = data.panels.find((one) => one.styles);
    for (const { name, vocabulary } of panel.styles) {
        found[name] = [];
        for (let i = 0; i < 5; i++) {
            const began = performance.now();
            const { measures } = await readMelody("tune.abc", new TextEncoder().encode(text), vocabulary);
            if (measures.length !== bars) throw new Error(`${measures.length} measures`);
            playground.codecs[name].encode(measures.map((measure) => toTokens(measure, vocabulary)));
            found[name].push(performance.now() - began);
        }
    }
    return found;
})"""


def measure(page: Path, program: str) -> list[str]:
    """A line for each decoder and each melody encoder of the page: median and longest."""
    with running(program) as address:
        tab = Tab(address)
        tab.open(page)
        tab.run("new Promise((done) => setTimeout(done, 1500))")  # the page checks itself first
        encoded = tab.run(f"{ENCODE}({json.dumps(TUNE)}, {BARS})")
        what = {"decode an example": tab.run(DECODE), f"read and encode {BARS} bars": encoded}
        tab.close()
    return [
        f"{name:18} {task:25} {statistics.median(times):7.1f} ms, at most {max(times):.1f}"
        for task, found in what.items()
        for name, times in found.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", nargs="?", type=Path)
    page = parser.parse_args(arguments).page or paths.root() / "reports" / "playground.html"
    program = chromium()
    if program is None or not page.is_file():
        print("no Chromium here" if program is None else f"there is no page {page}", file=sys.stderr)
        return 1
    print(*measure(page.resolve(), program), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
