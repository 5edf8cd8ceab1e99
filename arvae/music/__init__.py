"""Music: measures as symbols and their attributes, scores, readers and writers."""

from arvae.music.coding import ATTRIBUTE_NAMES, ATTRIBUTE_UNITS, Vocabulary, attributes

__all__ = ["ATTRIBUTE_NAMES", "ATTRIBUTE_UNITS", "Vocabulary", "attributes"]
