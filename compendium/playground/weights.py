"""Trained encoders and decoders as a web page can carry them: what to compute, and numbers in base64.

The other side are decoder.js and encoder.js in templates/playground.
"""

import base64
from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import Tensor, nn

from arvae.fast.layers import Dropout
from arvae.models.image import ImageVAE
from arvae.models.measure import BEATS, TICKS, MeasureVAE

# By exact type: a subclass may well compute something else. Dropout does nothing outside training.
ACTIVATIONS = {nn.ReLU: "relu", nn.SELU: "selu"}
Exported = tuple[dict[str, Any], dict[str, np.ndarray]]


def export(model: nn.Module, encoder: bool = True) -> Exported:
    """The decoder of a model in eval mode, and with `encoder` how it finds the mean of a code: what the page
    is to do, as JSON values, and its tensors as the scripts read them. ValueError names the part of a model
    that the page cannot run."""
    if isinstance(model, MeasureVAE):
        return _measure(model, encoder)
    if isinstance(model, ImageVAE) and model.conditions == 0:
        return _images(model, encoder)
    raise ValueError(
        f"a {type(model).__name__} cannot be put on the page: its decoder is neither that of ImageVAE "
        "without conditions nor that of MeasureVAE"
    )


def rounded(matrix: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """A matrix (n, m) as signed whole numbers of so many bits and a float32 factor a row (n, 1)."""
    most = 2 ** (bits - 1) - 1
    factors = np.maximum(np.abs(matrix).max(axis=1, keepdims=True) / most, 1e-12).astype("<f4")
    return np.rint(matrix / factors).astype(np.int16), factors


def packed(
    program: dict[str, Any], tensors: dict[str, np.ndarray], bits: int = 12
) -> tuple[dict[str, Any], str]:
    """The program with where each tensor lies ([first byte, rows, columns, kind]), and all of them as base64.

    Matrices are whole numbers of 12 bits ("t") or 8 ("i") behind one factor a row. 8 are enough for digits;
    melodies, where one symbol decides the next, need more, and so do shapes, whose edges are steep. Of 12
    bits the upper eight come first, then the lower four, two in a byte. Vectors are float32 ("s").
    """
    index, parts, first = {}, [], 0
    for name, tensor in tensors.items():
        matrix = np.atleast_2d(tensor)
        kind = "s" if tensor.ndim == 1 else "i" if bits == 8 else "t"
        content = matrix.astype("<f4").tobytes()
        if kind != "s":
            whole, factors = rounded(matrix, bits)
            content = factors.tobytes() + (whole >> bits - 8).astype(np.int8).tobytes()
        if kind == "t":
            low = np.append(whole & 15, [0] * (whole.size % 2)).astype(np.uint8)
            content += (low[::2] << 4 | low[1::2]).tobytes()
        index[name] = [first, *matrix.shape, kind]
        parts.append(content)
        first += len(content)
    return program | {"tensors": index}, base64.b64encode(b"".join(parts)).decode()


def _numpy(tensor: Tensor) -> np.ndarray:
    """A copy, to be changed at will."""
    return tensor.detach().cpu().float().numpy().copy()


def _images(model: ImageVAE, encoder: bool) -> Exported:
    channels, height, width = model.features
    tensors: dict[str, np.ndarray] = {}
    layers = [*model.decoder_linears, *model.decoder_convs]
    ops, (tall, wide) = _operations("decoder", layers, height, width, tensors)
    # The page keeps a pixel's channels together; torch keeps a channel's pixels together. Rows of the last
    # linear layer before convolutions, columns of the first one behind them, are put in the page's order.
    order = np.arange(np.prod(model.features)).reshape(model.features).transpose(1, 2, 0).ravel()
    last = [op for op in ops if op["kind"] == "linear"][-1]
    for part in (last["weight"], last["bias"]):
        tensors[part] = tensors[part][order]
    program = {"kind": "images", "latent_dim": model.latent_dim, "height": tall, "width": wide, "ops": ops}
    if encoder:
        layers = [*model.encoder_convs, *model.encoder_linears, model.mean]
        program["encoder"], _ = _operations("encoder", layers, tall, wide, tensors)
        first = next(op for op in program["encoder"] if op["kind"] == "linear")
        tensors[first["weight"]] = tensors[first["weight"]][:, order]
    return program, tensors


def _operations(
    name: str, layers: Iterable[nn.Module], height: int, width: int, tensors: dict[str, np.ndarray]
) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """What the layers of an image network compute, one after the other, and the size of what comes out; their
    weights are added to `tensors`."""
    ops: list[dict[str, Any]] = []
    flat = nn.Sequential(*layers).modules()
    for layer in (layer for layer in flat if not isinstance(layer, (nn.Sequential, Dropout, nn.Dropout))):
        if type(layer) in ACTIVATIONS:
            ops[-1]["activation"] = ACTIVATIONS[type(layer)]
            continue
        weight, bias = f"{name} {len(ops)}.w", f"{name} {len(ops)}.b"
        op = {"weight": weight, "bias": bias, "activation": "none", "kind": "linear"}
        matrix = _numpy(layer.weight) if hasattr(layer, "weight") else None
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            kernel, stride, padding = layer.kernel_size[0], layer.stride[0], layer.padding[0]
            up = isinstance(layer, nn.ConvTranspose2d)
            edge = kernel - 2 * padding
            tall, wide = (
                (n - 1) * stride + edge if up else (n - edge) // stride + 1 for n in (height, width)
            )
            op |= {
                "kind": "upconvolution" if up else "convolution",
                "kernel": kernel, "stride": stride, "padding": padding,
                "height": height, "width": width, "inputs": layer.in_channels,
                "tall": tall, "wide": wide, "outputs": layer.out_channels,
            }  # fmt: skip
            height, width = tall, wide
            # up: (in, out, k, k) -> (k k out, in); down: (out, in, k, k) -> (out, k k in)
            if up:
                matrix = matrix.transpose(2, 3, 1, 0).reshape(-1, layer.in_channels)
            else:
                matrix = matrix.transpose(0, 2, 3, 1).reshape(layer.out_channels, -1)
        elif not isinstance(layer, nn.Linear):
            raise ValueError(f"the {name} has a {type(layer).__name__}, which the page cannot compute")
        ops.append(op)
        tensors |= {weight: matrix, bias: _numpy(layer.bias)}
    return ops, (height, width)


def _measure(model: MeasureVAE, encoder: bool) -> Exported:
    tensors: dict[str, np.ndarray] = {}
    for name in ("beat start", "tick start", "tick input", "logits"):
        layer = getattr(model, name.replace(" ", "_"))
        tensors |= {f"{name}.w": _numpy(layer.weight), f"{name}.b": _numpy(layer.bias)}
    for level in ("beat", "tick"):
        for layer in range(model.layers):
            w, u, b, c = _recurrent(getattr(model, level), f"l{layer}", model.hidden)
            name = f"{level}.{layer}"
            if name == "beat.0":  # its input is one learned number
                b += w[:, 0] * _numpy(model.beat_input)
            elif name == "tick.0":  # [embedding of the symbol before, beat input]
                size = model.embed_out.embedding_dim
                symbols = np.concatenate([_numpy(model.embed_out.weight), _numpy(model.first_symbol)[None]])
                tensors |= {"symbols out": symbols, "symbols out.w": w[:, :size], f"{name}.w": w[:, size:]}
            else:
                tensors[f"{name}.w"] = w
            tensors |= {f"{name}.b": b, f"{name}.u": u, f"{name}.c": c}
    if encoder:
        for layer in range(model.layers):
            for way in ("", "_reverse"):
                w, u, b, c = _recurrent(model.encoder, f"l{layer}{way}", model.hidden)
                name = f"encoder.{layer}{way}"
                tensors |= {f"{name}.w": w, f"{name}.b": b, f"{name}.u": u, f"{name}.c": c}
        tensors["symbols in"] = _numpy(model.embed_in.weight)
        for name, layer in (("dense", model.mean[0]), ("mean", model.mean[2])):
            tensors |= {f"{name}.w": _numpy(layer.weight), f"{name}.b": _numpy(layer.bias)}
    program = {
        "kind": "music", "latent_dim": model.latent_dim, "beats": BEATS, "ticks": TICKS,
        "layers": model.layers, "hidden": model.hidden, "vocabulary": model.vocabulary_size,
        "encoder": encoder,
    }  # fmt: skip
    return program, tensors


def _recurrent(gru: nn.GRU, layer: str, hidden: int) -> list[np.ndarray]:
    """Weights of input and state, biases of both, of one direction of one layer. The gates r and z simply add
    both biases: all of it goes to the input's side."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    w, u, b, c = (_numpy(getattr(gru, f"{part}_{layer}")) for part in names)
    b[: 2 * hidden] += c[: 2 * hidden]
    c[: 2 * hidden] = 0
    return [w, u, b, c]
