"""One line every few seconds that says what is happening, how far it is and how long it will take."""

import time
from collections.abc import Callable

Log = Callable[[str], None]  # takes a line


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


class Progress:
    """Counts up to `total` and prints a line at most every `every` seconds.

    Lines, not a bar: they pass unharmed through papermill, DVC and a log file.
    """

    def __init__(
        self, total: int, label: str, unit: str = "items", every: float = 5.0, log: Log | None = None
    ) -> None:
        self.total, self.label, self.unit, self.every = total, label, unit, every
        self.log = log or (lambda line: print(line, flush=True))
        self.done = 0
        self._start = self._last = time.monotonic()

    def update(self, n: int = 1, note: str = "") -> None:
        """Say that `n` more are done; `note` is added to the line if one is printed now."""
        self.done += n
        now = time.monotonic()
        if now - self._last < self.every:
            return
        self._last = now
        spent = max(now - self._start, 1e-9)
        rate = self.done / spent
        left = clock((self.total - self.done) / rate) if rate > 0 else "?"
        self.log(
            f"{self.label}: {self.done:,} of {self.total:,} {self.unit} "
            f"({100 * self.done / max(self.total, 1):.0f} %), "
            f"{rate:,.0f} a second, {left} left{', ' + note if note else ''}"
        )

    def close(self, note: str = "") -> None:
        """Print the closing line: how many, in what time."""
        spent = time.monotonic() - self._start
        self.log(f"{self.label}: {self.done:,} {self.unit} in {clock(spent)}{', ' + note if note else ''}")
