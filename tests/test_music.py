"""The grid: coding, attributes, transposition, split."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arvae.music import coding as music

GOLDEN = "tests/golden/music_attributes.npz"  # computed with the paper's released implementation (2020)


@pytest.fixture(scope="module")
def golden(request):
    with np.load(request.config.rootpath / GOLDEN, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def symbols(lowest=0, highest=127):
    return st.integers(-4, -1) | st.integers(lowest, highest)


def test_attributes_equal_the_released_implementation(golden):
    ours = music.attributes(golden["measures"])
    assert ours.shape == (250, 4) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, golden["attributes"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
def test_torch_in_torch_out_for_every_integer_type(golden, dtype):
    ours = music.attributes(torch.from_numpy(golden["measures"]).to(dtype))
    assert isinstance(ours, torch.Tensor)
    np.testing.assert_allclose(ours.numpy(), golden["attributes"], rtol=0, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_attributes_on_a_gpu(golden):
    ours = music.attributes(torch.from_numpy(golden["measures"]).cuda())
    assert ours.is_cuda
    np.testing.assert_allclose(ours.cpu().numpy(), golden["attributes"], rtol=0, atol=1e-6)


def test_a_measure_counts_the_same_among_a_hundred_thousand(golden):
    ours = music.attributes(np.tile(golden["measures"], (400, 1)))
    np.testing.assert_array_equal(ours[:250], ours[-250:])
    np.testing.assert_allclose(ours[:250], golden["attributes"], rtol=0, atol=1e-6)


def by_hand(measure):
    """The definitions once more, one measure at a time, as the paper words them."""
    onsets = [(tick, int(code)) for tick, code in enumerate(measure) if code >= 0]
    weight = [w for b in (0.2, 0.67, 0.25, 0.67) for w in (b, 1, 2, 0.5, 2, 1)]
    pitches = [pitch for _, pitch in onsets] if len(onsets) > 1 else [0]
    return [
        sum(weight[tick] for tick, _ in onsets) / sum(weight),
        (max(pitches) - min(pitches)) / 26,
        len(onsets) / 24,
        (pitches[-1] - pitches[0]) / 26,
    ]


@settings(max_examples=60, deadline=None)
@given(arrays(np.int16, (3, 24), elements=symbols()))
def test_attributes_follow_their_definition(measures):
    np.testing.assert_allclose(music.attributes(measures), [by_hand(m) for m in measures], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(arrays(np.int16, (2, 24), elements=symbols(20, 100)), st.integers(-20, 20))
def test_attributes_do_not_change_with_the_key(measures, semitones):
    np.testing.assert_array_equal(
        music.attributes(measures), music.attributes(music.transpose(measures, semitones))
    )


def test_no_measure_at_all():
    assert music.attributes(np.zeros((0, 24), np.int16)).shape == (0, 4)
    assert music.attributes(torch.zeros((0, 24), dtype=torch.int64)).shape == (0, 4)


@pytest.mark.parametrize(
    ("measures", "words"),
    [
        (np.zeros(24, np.int16), r"\(24,\).*reshape"),
        (np.zeros((2, 23), np.int16), r"\(2, 23\)"),
        (np.zeros((2, 3, 24), np.int16), r"\(2, 3, 24\)"),
        (np.zeros((2, 24)), "float64.*integers"),
        (np.full((2, 24), np.nan), "float64.*integers"),
        (np.zeros((2, 24), bool), "bool.*integers"),
        (np.full((2, 24), -5, np.int16), "-5, which is no symbol"),
        (np.full((2, 24), 128, np.int16), "128, which is no symbol"),
        (torch.zeros(2, 24), "float32.*integers"),
        (torch.zeros(2, 24, dtype=torch.bool), "bool.*integers"),
        (torch.full((2, 24), -9), "-9, which is no symbol"),
    ],
)
def test_bad_measures_are_refused_by_name(measures, words):
    with pytest.raises(ValueError, match=words):
        music.attributes(measures)


def test_vocabulary_is_fixed():
    vocabulary = music.Vocabulary()
    assert vocabulary.size == 34
    specials = (vocabulary.continuation, vocabulary.rest, vocabulary.start, vocabulary.end)
    assert specials == (30, 31, 32, 33)
    assert vocabulary.encode(np.array([55, 84, -1, -2, -3, -4])).tolist() == [0, 29, 30, 31, 32, 33]
    assert [vocabulary.symbol(t) for t in (0, 5, 30, 33)] == ["G3", "C4", "continue", "end"]


@given(arrays(np.int16, (4, 24), elements=symbols(55, 84)))
@settings(max_examples=30, deadline=None)
def test_decode_inverts_encode(codes):
    vocabulary = music.Vocabulary()
    tokens = vocabulary.encode(codes)
    assert tokens.dtype == np.int64 and tokens.min() >= 0 and tokens.max() < vocabulary.size
    np.testing.assert_array_equal(vocabulary.decode(tokens), codes)
    as_tensor = vocabulary.encode(torch.from_numpy(codes))
    assert as_tensor.dtype == torch.int64
    np.testing.assert_array_equal(as_tensor.numpy(), tokens)
    np.testing.assert_array_equal(vocabulary.decode(as_tensor).numpy(), codes)


@pytest.mark.parametrize("code", [54, 85, -5, 127])
def test_vocabulary_refuses_what_it_has_no_token_for(code):
    for kind in (np.array, torch.tensor):
        with pytest.raises(ValueError, match=f"{code} is neither"):
            music.Vocabulary().encode(kind([60, code]))


@pytest.mark.parametrize("token", [-1, 34])
def test_vocabulary_refuses_a_token_that_is_not_its_own(token):
    with pytest.raises(ValueError, match=f"token {token} is outside"):
        music.Vocabulary().decode(np.array([0, token]))


def test_vocabulary_refuses_an_impossible_range():
    with pytest.raises(ValueError, match="84 to 55"):
        music.Vocabulary(lowest=84, highest=55)


def test_transpositions_keep_a_tune_in_range():
    tune = np.full((2, 24), -1, np.int16)
    tune[0, 0], tune[1, 3] = 60, 72
    shifts = music.transpositions(tune)
    assert (min(shifts), max(shifts)) == (-5, 12)
    for shift in shifts:
        moved = music.transpose(tune, shift)
        assert moved[moved >= 0].min() >= 55 and moved.max() <= 84
        np.testing.assert_array_equal(moved < 0, tune < 0)
    tune[1, 3] = 91
    assert len(music.transpositions(tune)) == 0
    assert len(music.transpositions(np.full((2, 24), -2, np.int16))) == 0


def test_split_keeps_groups_together_and_shares():
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(150), generator.integers(1, 4, 150))
    train, validation, test = music.split_groups(groups, np.random.default_rng(1))
    sides = [set(groups[side]) for side in (train, validation, test)]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert sorted(np.concatenate([train, validation, test])) == list(range(len(groups)))
    shares = np.array([len(train), len(validation), len(test)]) / len(groups)
    np.testing.assert_allclose(shares, (0.7, 0.1, 0.2), atol=0.02)
    again = music.split_groups(groups, np.random.default_rng(1))
    np.testing.assert_array_equal(again[0], train)


def test_split_leaves_no_side_empty_when_there_are_enough_groups():
    for seed in range(20):
        sides = music.split_groups(range(3), np.random.default_rng(seed))
        assert [len(side) for side in sides] == [1, 1, 1]
