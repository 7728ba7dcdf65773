"""Rearrangements: every known one is recognised through noise, and nothing is explained that is not so."""

import numpy as np
import pytest

from similarity.layout import rearrangement

RNG = np.random.default_rng(5)
X = RNG.standard_normal((2, 48, 10, 6)).astype(np.float32)


def noisy(array):
    return array + np.float32(0.05) * RNG.standard_normal(array.shape).astype(np.float32)


def crd(x, r):
    n, k, h, w = x.shape
    return x.reshape(n, k // r // r, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, -1, h * r, w * r)


def dcr(x, r):
    n, k, h, w = x.shape
    return x.reshape(n, r, r, k // r // r, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, -1, h * r, w * r)


SIX = X[:1].reshape(1, 3, 4, 4, 10, 6)
RIGHT, WRONG = SIX.transpose(0, 1, 4, 2, 5, 3), SIX.transpose(5, 4, 3, 2, 1, 0)
CASES = {
    "NHWC for NCHW": (X, X.transpose(0, 2, 3, 1)),
    "NHWC for NCHW under one shape": (X, X.transpose(0, 2, 3, 1).reshape(X.shape)),
    "NCHW for NHWC": (X.transpose(0, 2, 3, 1), X),
    "H and W exchanged": (X, X.transpose(0, 1, 3, 2)),
    "H and W exchanged in NHWC": (X, X.transpose(0, 2, 1, 3)),
    "channels reversed": (X, X[:, ::-1]),
    "channels reversed at the end": (X, X[..., ::-1]),
    "batch and channels exchanged": (X, X.transpose(1, 0, 2, 3)),
    "other shape": (X, X.reshape(-1)),
    "DCR for CRD": (crd(X, 4), dcr(X, 4)),
    "CRD for DCR": (dcr(X, 2), crd(X, 2)),
    "channels padded": (X, np.pad(X, ((0, 0), (0, 16), (0, 0), (0, 0)))),
    "axes in the order 0, 5, 4, 2, 3, 1": (RIGHT, WRONG.reshape(RIGHT.shape)),
}


def stem(name):
    return name.split(" under")[0].split(" in NHWC")[0].split(" at the end")[0]


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("axes")])
def test_a_known_rearrangement_is_named(name):
    reference, candidate = CASES[name]
    found = rearrangement(reference, noisy(candidate))
    assert found is not None
    assert found.name == stem(name)


@pytest.mark.parametrize("name", CASES)
def test_applying_it_restores_the_reference(name):
    reference, candidate = CASES[name]
    candidate = noisy(candidate)
    found = rearrangement(reference, candidate)
    assert found is not None
    restored = found.apply(candidate).array
    assert np.abs(restored - reference.reshape(-1)).max() < 0.5


def test_a_wrong_transposition_is_found_through_the_reshape_after_it():
    shape = (1, 3, 40, 24)
    found = rearrangement(RIGHT.reshape(shape), noisy(WRONG.reshape(shape)))
    assert found is not None
    assert found.cosine > 0.99


def test_the_cosine_is_that_of_the_values_in_order():
    found = rearrangement(X, X.transpose(0, 2, 3, 1))
    assert found is not None
    assert found.cosine == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    "candidate",
    [
        X,
        noisy(X),
        RNG.standard_normal(X.shape).astype(np.float32),
        X * 3,
        X + 10,
        np.zeros_like(X),
        X * np.nan,
    ],
    ids=["equal", "noisy", "unrelated", "a gain", "an offset", "zero", "NaN"],
)
def test_what_is_no_rearrangement_is_not_called_one(candidate):
    assert rearrangement(X, candidate) is None


def test_a_constant_is_in_order_already():
    assert rearrangement(np.ones((1, 3, 4, 4), np.float32), np.ones((1, 3, 4, 4), np.float32)) is None


def test_different_sizes_cannot_be_rearranged():
    assert rearrangement(X, X[:, :, :5]) is None


def test_nothing_at_all_is_no_rearrangement():
    assert rearrangement(np.ones((0, 3), np.float32), np.ones((3, 0), np.float32)) is None
