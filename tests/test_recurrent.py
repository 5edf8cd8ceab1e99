"""The fast GRU layer against `nn.GRU`: outputs, gradients, both precisions, symbols, lanes, dropout."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arvae.fast import gru_kernels, gru_steps, recurrent
from arvae.fast.measure import _direction


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (values * scale).to(dtype).requires_grad_()


def reference(inputs: int, hidden: int, two: bool, seed: int = 0) -> nn.GRU:
    layer = nn.GRU(inputs, hidden, bidirectional=two)
    with torch.no_grad():
        for k, parameter in enumerate(layer.parameters()):
            parameter.copy_(normal(*parameter.shape, seed=100 * seed + k, scale=0.3))
    return layer


def directions(layer: nn.GRU) -> tuple[recurrent.Weights, ...]:
    return tuple(_direction(layer, 0, suffix) for suffix in ("", "_reverse")[: 1 + layer.bidirectional])


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize(("steps", "n"), [(1, 1), (5, 3), (24, 70), (7, 600)])
def test_outputs_and_gradients_are_those_of_nn_gru(two: bool, steps: int, n: int) -> None:
    inputs, hidden = 6, 16
    layer = reference(inputs, hidden, two)
    x, h0 = normal(steps, n, inputs, seed=1), normal(1 + two, n, hidden, seed=2)
    leaves = [x, h0, *layer.parameters()]
    wanted, wanted_last = layer(x, h0)
    upstream = normal(*wanted.shape, seed=3).detach(), normal(*wanted_last.shape, seed=4).detach()
    expected = torch.autograd.grad((wanted, wanted_last), leaves, upstream)
    permuted = x.transpose(0, 1).contiguous().transpose(0, 1)[None]  # the same numbers in another order
    assert steps == 1 or n == 1 or not permuted.is_contiguous()
    out, last = recurrent.gru(permuted, h0, directions(layer))
    torch.testing.assert_close(out[0], wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(last, wanted_last, atol=1e-5, rtol=0)
    for gradient, other in zip(torch.autograd.grad((out[0], last), leaves, upstream), expected, strict=True):
        torch.testing.assert_close(gradient, other, atol=1e-5 * other.abs().max().item() + 1e-7, rtol=1e-5)


def small(two: bool, lanes: int, symbols: bool, per_row: bool, n: int = 2) -> tuple:
    """(x, h0, mask, flat weights) in float64, small enough for numerical gradients."""
    steps, hidden, inputs, vocabulary = 3, 3, 2, 4
    double = {"dtype": torch.float64}
    shared = 1 if two else lanes
    if symbols:
        generator = torch.Generator().manual_seed(7)
        x = torch.randint(vocabulary, (shared, steps, n), generator=generator)
    else:
        x = normal(shared, steps, n, inputs, seed=1, **double)
    h0 = normal(lanes, n, hidden, seed=2, **double)
    flat = []
    for k in range(1 + two):
        first = (vocabulary, 3 * hidden) if symbols else (3 * hidden, inputs)
        bias = (lanes, n, 3 * hidden) if per_row else (3 * hidden,)
        shapes = (first, (3 * hidden, hidden), bias, (hidden,))
        flat += [normal(*shape, seed=10 * k + i + 3, **double) for i, shape in enumerate(shapes)]
    shape = (1, steps, n, 2 * hidden) if two else (lanes, steps, n, hidden)
    mask = recurrent.keep_mask(shape, 0.5, h0, torch.Generator().manual_seed(5))
    return x, h0, mask, flat


CASES = [
    (False, 1, False, False),
    (True, 2, False, False),
    (True, 2, True, False),
    (False, 4, True, True),
    (False, 4, False, False),
]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("two", "lanes", "symbols", "per_row"), CASES)
def test_gradients_are_numerically_right(
    two: bool, lanes: int, symbols: bool, per_row: bool, masked: bool
) -> None:
    x, h0, mask, flat = small(two, lanes, symbols, per_row)

    def run(*leaves: Tensor) -> tuple[Tensor, Tensor]:
        first, start, *rest = (x, *leaves) if symbols else leaves
        groups = tuple(tuple(rest[i : i + 4]) for i in range(0, len(rest), 4))
        return recurrent.gru(first, start, groups, mask if masked else None)

    leaves = (h0, *flat) if symbols else (x, h0, *flat)
    assert torch.autograd.gradcheck(run, leaves, atol=1e-7)


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize(("two", "lanes", "symbols", "per_row"), CASES)
def test_torchs_own_kernels_give_the_same(
    two: bool, lanes: int, symbols: bool, per_row: bool, n: int
) -> None:
    x, h0, mask, flat = small(two, lanes, symbols, per_row, n)
    groups = tuple(tuple(flat[i : i + 4]) for i in range(0, len(flat), 4))
    leaves = [h0, *flat] if symbols else [x, h0, *flat]
    ours, native = recurrent.gru(x, h0, groups, mask), recurrent.native_gru(x, h0, groups, mask)
    upstream = [normal(*part.shape, seed=9, dtype=torch.float64).detach() for part in ours]
    gradients = [torch.autograd.grad(result, leaves, upstream) for result in (ours, native)]
    for one, other in zip((*ours, *gradients[0]), (*native, *gradients[1]), strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-8)


def test_bfloat16_stays_close_to_float32() -> None:
    layer = reference(32, 64, two=True)
    x, h0 = normal(24, 128, 32, seed=1), normal(2, 128, 64, seed=2)
    wanted, wanted_last = layer(x, h0)
    leaves = [x, h0, *layer.parameters()]
    upstream = normal(*wanted.shape, seed=3).detach()
    expected = torch.autograd.grad(wanted, leaves, upstream)
    half = reference(32, 64, two=True).bfloat16()
    rounded = [leaf.detach().bfloat16().requires_grad_() for leaf in (x, h0)]
    out, last = recurrent.gru(rounded[0][None], rounded[1], directions(half))
    assert out.dtype == last.dtype == torch.bfloat16
    torch.testing.assert_close(out[0].float(), wanted, atol=0.05, rtol=0)
    gradients = torch.autograd.grad(out[0], [*rounded, *half.parameters()], upstream.bfloat16())
    for gradient, other in zip(gradients, expected, strict=True):
        assert (gradient.float() - other).norm() < 0.03 * other.norm()


@pytest.mark.parametrize("compiled", [True, False])
def test_a_written_tape_is_not_computed_again(compiled: bool) -> None:
    """The tape written step by step, by the compiled kernel and by torch's operators."""
    x, h0, mask, flat = small(two=False, lanes=4, symbols=True, per_row=True)
    w_ih, w_hh, bias, b_n = flat
    lanes, n, hidden = h0.shape
    steps = x.shape[1]
    tape = recurrent.Tape.empty(h0.detach(), lanes, steps, n, hidden)
    with torch.no_grad():
        stepper = recurrent.Stepper(w_ih, w_hh, b_n, symbols=True)
        if not compiled:  # as on a device without kernels
            stepper.compiled = False
        for lane in range(lanes):
            stepper.begin(tape, lane, h0[lane], bias[lane])
            for t in range(steps):
                after = stepper.step(x[lane, t], t, t, t + 1)
                assert after.data_ptr() == tape.states[lane, t + 1].data_ptr()
    results = []
    for given in (None, tape):
        out, last = recurrent.gru(x, h0, (tuple(flat),), mask, given)
        results.append((out, last, *torch.autograd.grad(out.square().sum() + last.sum(), [h0, *flat])))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=0 if compiled else 1e-12, rtol=0)


@pytest.mark.parametrize("hidden", [3, 128])
@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("own_bias", [False, True])
@pytest.mark.parametrize(
    ("dtype", "close"), [(torch.bfloat16, 0.05), (torch.float32, 1e-6), (torch.float64, 1e-14)]
)
def test_the_compiled_step_is_that_of_torchs_operators(
    dtype: torch.dtype, close: float, own_bias: bool, table: bool, hidden: int
) -> None:
    n, wide = 37, recurrent.state_type(dtype)
    with torch.no_grad():
        product, inputs = (normal(n, 3 * hidden, seed=k, dtype=dtype, scale=3) for k in (1, 2))
        inputs[0], inputs[1] = 200.0, -200.0  # saturated, in either direction
        rows = torch.arange(n).flip(0) // 2 if table else None
        bias = normal(n if own_bias else 1, 3 * hidden, seed=5, dtype=dtype)
        b_n, h = normal(hidden, seed=3, dtype=dtype), normal(n, hidden, seed=4, dtype=wide)
        results = []
        for step, argument in (
            (gru_steps.pointwise, Tensor.detach),
            (gru_kernels.forward(hidden), gru_kernels.memory),
        ):
            state = h.detach().clone()
            written = [product.new_full((n, width), torch.nan) for width in (3 * hidden, hidden, hidden)]
            given = (product, inputs, rows, bias, b_n, state, *written)
            step(*(None if part is None else argument(part) for part in given))
            results.append((state, *written))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=close, rtol=close)


def test_a_nan_stays_a_nan_in_the_compiled_step() -> None:
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        product, inputs, gates = torch.zeros(3, 2, 12, dtype=dtype)
        inputs[0, 5], inputs[1, 9] = torch.nan, -torch.nan
        h = torch.zeros(2, 4, dtype=recurrent.state_type(dtype))
        bias, b_n = torch.zeros(1, 12, dtype=dtype), torch.zeros(4, dtype=dtype)
        candidate, after = torch.zeros(2, 2, 4, dtype=dtype)
        first, last = map(gru_kernels.memory, (product, inputs)), (bias, b_n, h, gates, candidate, after)
        gru_kernels.forward(4)(*first, None, *map(gru_kernels.memory, last))
        wrong = torch.tensor([[False, True, False, False]] * 2)
        assert torch.equal(after.isnan(), wrong) and torch.equal(h.isnan(), wrong)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("p", [0.5, 0.2])
def test_dropout_factors_are_fair_independent_and_reproducible(dtype: torch.dtype, p: float) -> None:
    like = torch.empty(0, dtype=dtype)
    mask = recurrent.keep_mask((50, 1001), p, like, torch.Generator().manual_seed(3))
    again = recurrent.keep_mask((50, 1001), p, like, torch.Generator().manual_seed(3))
    assert torch.equal(mask, again) and mask.dtype == dtype
    kept = mask != 0
    torch.testing.assert_close(mask[kept].unique().double(), torch.tensor([1 / (1 - p)]).to(dtype).double())
    share = kept.double()
    assert abs(share.mean() - (1 - p)) < 4 * (p * (1 - p) / mask.numel()) ** 0.5
    signs = (share - (1 - p)).flatten()
    for lag in (1, 2, 4, 8, 15, 16, 31, 63, 64, 1001, 3337):
        assert abs(F.cosine_similarity(signs[:-lag], signs[lag:], dim=0)) < 4.5 / mask.numel() ** 0.5


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    recurrent.keep_mask((100,), 0.5, torch.empty(0), torch.Generator().manual_seed(0))
    recurrent.keep_mask((100,), 0.3, torch.empty(0), torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.get_rng_state())


def test_shapes_that_do_not_fit_are_named() -> None:
    x, h0, _, flat = small(two=False, lanes=1, symbols=False, per_row=False)
    with pytest.raises(ValueError, match=r"do not fit together: x \(1, 3, 2, 2\)"):
        recurrent.gru(x, h0[:, :1], (tuple(flat),))
    with pytest.raises(ValueError, match="mask"):
        recurrent.gru(x, h0, (tuple(flat),), torch.ones(2, 2))
