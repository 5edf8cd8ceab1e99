"""What makes the reports on `arvae`: figures, tables, sentences, pages, pipelines, the weights that ship.

Nothing in `arvae` imports it; who installs `arvae` for its models, losses and metrics needs none of it.
"""

import arvae  # noqa: F401  (first of all: it lets Ctrl-C end a command whose imports take seconds)
