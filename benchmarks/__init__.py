"""How fast and how well training runs here; not installed."""

import sys

from arvae import interrupts  # first of all: it lets Ctrl-C end a command whose imports take seconds

if "--child" in sys.argv:
    interrupts.end_at_once(interrupts.WORKER)
