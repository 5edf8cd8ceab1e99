"""The one error of the site."""

from collections.abc import Sequence


class SiteError(ValueError):
    """The site cannot be built as it should be; the message lists every fault, a line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("the site has faults:\n" + "\n".join(f"  {fault}" for fault in self.faults))
