"""What the real RKNN-Toolkit2 says when it refuses: the code, and its own line in the detail."""

import pytest

from tests.toolkits.networks import one_op, random_samples
from tests.toolkits.test_rknn2 import PICTURE, failure_of, picture_net, pytestmark  # noqa: F401 -- the same skip


@pytest.mark.parametrize(
    "recipe, words",
    [
        ({"platform": "rv1126"}, "rv1126"),
        ({"dtype": "w8a16"}, "w8a16"),
        ({"algorithm": "entropy"}, "entropy"),
    ],
    ids=str,
)
def test_a_recipe_that_it_refuses_is_the_recipes_fault(folder, recipe, words):
    error = failure_of(folder, picture_net(), random_samples(PICTURE), **recipe)
    assert (error.code, words in error.detail) == ("recipe:invalid", True)


def test_an_operator_that_it_wants_removed_is_named(folder):
    error = failure_of(folder, one_op("Unique", (16,), sorted=1), random_samples({"x": (16,)}))
    assert (error.code, "Unique" in error.detail) == ("model:unsupported-operator", True)


def test_samples_of_a_wrong_size_never_reach_it(folder):
    """It would resize them without a word."""
    error = failure_of(folder, picture_net(), random_samples({"x": (1, 3, 9, 16)}))
    assert (error.code, (folder.path / "toolkit.log").read_bytes()) == ("data:wrong-shape", b"")


def test_an_abort_is_told_with_what_may_get_past_it(folder):
    error = failure_of(folder, picture_net(), random_samples(PICTURE), platform="rk2118")
    assert (error.code, "other platforms take it" in error.detail) == ("toolkit:crashed", True)
