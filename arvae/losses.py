"""The terms of the loss: reconstruction, Kullback-Leibler divergence and the attribute regularization.

Pati & Lerch, "Attribute-based Regularization of Latent Spaces for Variational Auto-Encoders", Neural
Computing and Applications 2020 (doi 10.1007/s00521-020-05270-2), section 3. Every term is computed in
float32 (float64 where that is what comes in), whatever precision the network runs in.
"""

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def attribute_regularization(z: Tensor, attributes: Tensor, delta: float = 1.0) -> Tensor:
    """L_AR summed over the attributes: order along z's column c should be the order of attribute c.

    For each column, the mean over all m * m pairs (i, j), the diagonal included, of
    ``|tanh(delta * (z_i - z_j)) - sign(a_i - a_j)|`` (Pati & Lerch 2020, equations 3 to 5; sign(0) = 0).

    Args:
        z: (m, k) sampled codes, only the regularized dimensions, in the attributes' order.
        attributes: (m, k) attribute values of any type. Give them in the precision they were measured
            in: rounding makes ties.
        delta: steepness, > 0.

    Returns:
        A scalar, float32 (float64 for float64 codes), differentiable with respect to z.

    Raises:
        ValueError: for shapes that differ or are not (m, k), an empty batch, or delta <= 0.
    """
    check_pairs(z, attributes, delta)
    z_i, z_j = at_least_float32(z)[:, None], at_least_float32(z)[None, :]  # (m, 1, k), (1, m, k)
    a_i, a_j = attributes[:, None], attributes[None, :]
    sign = (a_i > a_j).to(z_i.dtype) - (a_i < a_j).to(z_i.dtype)  # of a_i - a_j, exact for every type
    error = torch.tanh(delta * (z_i - z_j)) - sign  # (m, m, k)
    return error.abs().mean(dim=(0, 1)).sum()


def check_pairs(z: Tensor, attributes: Tensor, delta: float) -> None:
    """ValueError where `attribute_regularization` cannot be computed."""
    if z.ndim != 2 or z.shape != attributes.shape or z.numel() == 0:
        raise ValueError(
            f"z and attributes must both be (m, k) and not empty; got {tuple(z.shape)} and "
            f"{tuple(attributes.shape)}: give only the regularized columns of z, one per attribute"
        )
    if not (math.isfinite(delta) and delta > 0):
        raise ValueError(f"delta must be a positive number, got {delta}: the paper uses 1 and 10")


def kl_divergence(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, exp(log_std)^2) || N(0, I)), summed over dimensions, averaged over the batch, in nats.

    Args:
        mean, log_std: (m, d).
    """
    mean, log_std = at_least_float32(mean), at_least_float32(log_std)
    # expm1 keeps the digits of exp(2 s) - 1 where the posterior is close to the prior.
    terms = torch.expm1(2.0 * log_std) + mean.square() - 2.0 * log_std
    return 0.5 * terms.sum(dim=1).mean()


def kl_penalty(kl: Tensor, beta: float, capacity: float = 0.0) -> Tensor:
    """beta * |KL - C| (Burgess et al. 2018); with capacity C = 0 the term of the beta-VAE."""
    return beta * (kl - capacity).abs()


def reconstruction_images(logits: Tensor, x: Tensor) -> Tensor:
    """Binary cross-entropy summed over pixels, divided by the batch size, in nats.

    Args:
        logits: (m, 1, h, w) before the sigmoid.
        x: the same shape, values in 0..1.
    """
    logits = at_least_float32(logits)
    return F.binary_cross_entropy_with_logits(logits, x.to(logits.dtype), reduction="sum") / len(x)


def reconstruction_music(logits: Tensor, tokens: Tensor) -> Tensor:
    """Cross-entropy averaged over ticks and batch, in nats.

    Args:
        logits: (m, ticks, vocabulary).
        tokens: (m, ticks) int64.
    """
    return F.cross_entropy(at_least_float32(logits).flatten(0, 1), tokens.flatten())


def at_least_float32(x: Tensor) -> Tensor:
    """float16, bfloat16 and integers become float32; float32 and float64 stay."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def columns(x: Tensor, which: Sequence[int]) -> Tensor:
    """x[:, which] for x (m, d), without sending the list to a GPU at every call, which would wait for it."""
    return x.index_select(1, _on_device(tuple(which), x.device))


@functools.lru_cache(maxsize=64)
def _on_device(numbers: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(numbers, device=device)
