"""Every figure of the project, drawn by pure functions: arrays in, a matplotlib Figure out.

`style` holds the one look and writes the files; the other modules hold a family of figures each.
"""
