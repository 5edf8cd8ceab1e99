"""A run's process: see `worker`."""

from arvae.training.worker import main

if __name__ == "__main__":
    main()
