"""The one error of editing: what cannot be done, and what to do about it."""


class EditError(ValueError):
    """An input, a wish or a model that cannot be used; the message names it and the remedy."""
