"""How long one waits for metrics, for attributes of melodies, for a slider of the playground's notebook.

    python -m benchmarks.evaluation [--codes 25600]

Seconds of processor time, the best of three; the metrics once, of random codes of 32 dimensions with 6
attributes. Sliders: the whole answer to one, picture or score and sound, by the models at hand.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from ipywidgets import FloatSlider

from arvae import datasets, metrics, music
from arvae.datasets import own
from arvae.trained import TrainedModel
from compendium.playground import apps, items

TRIES = 3


def seconds(task: Callable[[], object], tries: int = TRIES) -> float:
    """Of processor time, all threads together: other work on the machine does not count."""
    spent = []
    for _ in range(tries):
        start = time.process_time()
        task()
        spent.append(time.process_time() - start)
    return min(spent)


def of_metrics(codes: int) -> Iterator[tuple[str, float]]:
    """Both entry points of `arvae.metrics` on codes of which six dimensions carry an attribute."""
    generator = np.random.default_rng(0)
    a = generator.standard_normal((codes, 6))
    z = generator.standard_normal((codes, 32))
    z[:, 1:7] = np.tanh(a) + 0.1 * z[:, 1:7]
    yield f"evaluate, {codes:,} codes", seconds(lambda: metrics.evaluate(z, a, list("abcdef")), tries=1)
    yield f"grouped, {codes:,} codes", seconds(lambda: metrics.grouped(z, a), tries=1)


def of_attributes(count: int = 100_000) -> Iterator[tuple[str, float]]:
    """The paper's four of music, and the project's own two."""
    symbols = [60, 64, 67, 71, -1, -1, -1, -1, -1, -2]
    measures = np.random.default_rng(0).choice(symbols, (count, 24)).astype(np.int16)
    for name, function in [
        ("the paper's four attributes", music.attributes),
        ("tonal tension", own.tonal_tension),
        ("syncopation", own.syncopation),
    ]:
        yield f"{name}, {count:,} measures", seconds(lambda function=function: function(measures))


def of_sliders() -> Iterator[tuple[str, float]]:
    """A slider moved to its end, in the notebook: what is shown is decoded, measured and drawn."""
    for name in ("mnist", "dsprites", "folk", "bach"):
        trained = TrainedModel.load(name)
        data = datasets.at_hand(trained.setup.dataset)
        kind = apps.MelodyApp if data.kind == "music" else apps.ImageApp
        yield f"a slider, {name}", seconds(moves(kind(trained, items.choose(trained, data)).sliders[0]))


def moves(slider: FloatSlider) -> Callable[[], None]:
    """A task that puts it to its upper end, the next time to its lower, and so on."""
    ends = itertools.cycle([slider.max, slider.min])
    return lambda: setattr(slider, "value", next(ends))


def main(arguments: list[str] | None = None) -> int:
    """The command line: a line a task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--codes", type=int, default=25_600, help="25,600 unless given")
    codes = parser.parse_args(arguments).codes
    for tasks in (of_metrics(codes), of_attributes(), of_sliders()):
        for name, spent in tasks:
            print(f"{name:45} {spent:8.3f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
