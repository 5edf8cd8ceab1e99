"""Drop-in replacements ("twins") of plain modules: the same results, several times faster on a CPU.

`use(network)` swaps them in. Parameters, their names and initial weights stay as they are, so what one
trained the other loads. What each twin brings stands in docs/speed.md; that it computes the same is tested in
tests/test_fast.py.
"""

from torch import nn

from arvae.fast.adam import FlatAdam
from arvae.fast.layers import ConvTranspose2d, Dropout, SeluDropout
from arvae.fast.regularization import attribute_regularization

__all__ = ["ConvTranspose2d", "Dropout", "FlatAdam", "SeluDropout", "attribute_regularization", "use"]

_PARTS: dict[type[nn.Module], type[nn.Module]] = {
    nn.ConvTranspose2d: ConvTranspose2d,
    nn.Dropout: Dropout,
}


def use(network: nn.Module) -> nn.Module:
    """Turn the parts of a network that have a twin into it, in place; subclasses of them stay what they are.

    A twin differs from its part in the class alone. It takes float32 and may hold bfloat16 weights; its
    random numbers come from the module's `generator` (`models.set_generator`).
    """
    twins = _PARTS | _networks(network.kind)
    for module in list(network.modules()):
        if type(module) is nn.Sequential:
            # Not the first of a sequence: only what nothing else uses may be overwritten.
            for pair in list(module)[1:]:
                if type(pair) is nn.Sequential and [type(part) for part in pair] == [nn.SELU, nn.Dropout]:
                    pair.__class__ = SeluDropout
        if twin := twins.get(type(module)):
            module.__class__ = twin
    return network


def _networks(kind: str) -> dict[type[nn.Module], type[nn.Module]]:
    if kind == "images":
        from arvae.fast import image

        return image.TWINS
    from arvae.fast import measure  # compiles its steps: a second that images need not spend

    return measure.TWINS
