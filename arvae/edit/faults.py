"""The one error of editing."""


class EditError(ValueError):
    """A file, a wish or a model that cannot be used; the message names it and the remedy."""
