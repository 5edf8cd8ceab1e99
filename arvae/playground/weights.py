"""Trained decoders as a web page can carry them: what to compute, and float32 numbers in base64.

The other side is templates/playground/decoder.js.
"""

import base64
from typing import Any

import numpy as np
from torch import Tensor, nn

from arvae.fast.layers import Dropout
from arvae.models.image import ImageVAE
from arvae.models.measure import BEATS, TICKS, MeasureVAE

# By exact type: a subclass may well compute something else. Dropout does nothing outside training.
ACTIVATIONS = {nn.ReLU: "relu", nn.SELU: "selu"}
Exported = tuple[dict[str, Any], dict[str, np.ndarray]]


def export(model: nn.Module) -> Exported:
    """The decoder of a model in eval mode: what decoder.js is to do, as JSON values, and its tensors in the
    layout decoder.js reads. ValueError names the part of a model that the page cannot run."""
    if isinstance(model, MeasureVAE):
        return _measure(model)
    if isinstance(model, ImageVAE) and model.conditions == 0:
        return _images(model)
    raise ValueError(
        f"a {type(model).__name__} cannot be put on the page: its decoder is neither that of ImageVAE "
        "without conditions nor that of MeasureVAE"
    )


def packed(program: dict[str, Any], tensors: dict[str, np.ndarray]) -> tuple[dict[str, Any], str]:
    """The program with where each tensor lies ([first, size] in numbers), and all of them as base64."""
    index, first = {}, 0
    for name, tensor in tensors.items():
        index[name] = [first, tensor.size]
        first += tensor.size
    numbers = np.concatenate([tensor.ravel() for tensor in tensors.values()]).astype("<f4")
    return program | {"tensors": index}, base64.b64encode(numbers.tobytes()).decode()


def _numpy(tensor: Tensor) -> np.ndarray:
    """A copy, to be changed at will."""
    return tensor.detach().cpu().float().numpy().copy()


def _images(model: ImageVAE) -> Exported:
    ops: list[dict[str, Any]] = []
    tensors: dict[str, np.ndarray] = {}
    channels, height, width = model.features
    layers = nn.Sequential(*model.decoder_linears, *model.decoder_convs).modules()
    for layer in (layer for layer in layers if not isinstance(layer, (nn.Sequential, Dropout, nn.Dropout))):
        if type(layer) in ACTIVATIONS:
            ops[-1]["activation"] = ACTIVATIONS[type(layer)]
            continue
        op = {"weight": f"{len(ops)}.w", "bias": f"{len(ops)}.b", "activation": "none", "kind": "linear"}
        if isinstance(layer, nn.ConvTranspose2d):
            kernel, stride, padding = layer.kernel_size[0], layer.stride[0], layer.padding[0]
            tall, wide = ((side - 1) * stride - 2 * padding + kernel for side in (height, width))
            op |= {
                "kind": "upconvolution", "kernel": kernel, "stride": stride, "padding": padding,
                "height": height, "width": width, "inputs": layer.in_channels,
                "tall": tall, "wide": wide, "outputs": layer.out_channels,
            }  # fmt: skip
            height, width = tall, wide
        elif not isinstance(layer, nn.Linear):
            raise ValueError(f"the decoder has a {type(layer).__name__}, which the page cannot compute")
        weight = _numpy(layer.weight)
        if weight.ndim == 4:  # (in, out, kernel, kernel)
            weight = weight.transpose(2, 3, 1, 0).reshape(-1, layer.in_channels)
        ops.append(op)
        tensors |= {op["weight"]: weight, op["bias"]: _numpy(layer.bias)}
    # The page keeps a pixel's channels together; torch keeps a channel's pixels together. The last linear
    # layer's rows are put in the page's order.
    last = [op for op in ops if op["kind"] == "linear"][-1]
    order = np.arange(np.prod(model.features)).reshape(model.features).transpose(1, 2, 0).ravel()
    for part in (last["weight"], last["bias"]):
        tensors[part] = tensors[part][order]
    program = {"kind": "images", "latent_dim": model.latent_dim, "height": height, "width": width, "ops": ops}
    return program, tensors


def _measure(model: MeasureVAE) -> Exported:
    tensors: dict[str, np.ndarray] = {}
    for name in ("beat start", "tick start", "tick input", "logits"):
        layer = getattr(model, name.replace(" ", "_"))
        tensors |= {f"{name}.w": _numpy(layer.weight), f"{name}.b": _numpy(layer.bias)}
    parts, gates = ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), slice(2 * model.hidden)
    for level in ("beat", "tick"):
        for layer in range(model.layers):
            gru, name = getattr(model, level), f"{level}.{layer}"
            w, u, b, c = (_numpy(getattr(gru, f"{part}_l{layer}")) for part in parts)
            b[gates] += c[gates]  # r and z simply add both biases: all of it goes to the input's side
            c[gates] = 0
            if name == "beat.0":  # its input is one learned number
                b += w[:, 0] * _numpy(model.beat_input)
            elif name == "tick.0":  # [embedding of the symbol before, beat input]: the first as a table
                size = model.embed_out.embedding_dim
                symbols = np.concatenate([_numpy(model.embed_out.weight), _numpy(model.first_symbol)[None]])
                tensors |= {"symbols": symbols @ w[:, :size].T, f"{name}.w": w[:, size:]}
            else:
                tensors[f"{name}.w"] = w
            tensors |= {f"{name}.b": b, f"{name}.u": u, f"{name}.c": c}
    program = {
        "kind": "music", "latent_dim": model.latent_dim, "beats": BEATS, "ticks": TICKS,
        "layers": model.layers, "hidden": model.hidden, "vocabulary": model.vocabulary_size,
    }  # fmt: skip
    return program, tensors
