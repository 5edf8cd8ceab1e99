"""A run's process: see `worker`."""

import sys

from arvae.training.worker import main

if __name__ == "__main__":
    sys.exit(main())
