"""The inputs of a source that may not tell all of them itself."""

import pytest

from dashboard.conversions.recipe import InputSettings
from workers.errors import JobError
from workers.toolkits.sourceinputs import inputs_of

OPEN = {"name": "x", "shape": None, "dtype": "float32"}
SHAPED = InputSettings(shape=(1, 3, 8, 8))


def report(*inputs):
    return {"inputs": list(inputs)}


def shape_of(report, recipe=None, routes=()):
    return [(one.name, one.shape) for one in inputs_of(report, recipe or {}, routes)]


def failure_of(*arguments) -> str:
    with pytest.raises(JobError) as caught:
        inputs_of(*arguments)
    return caught.value.code


def test_the_recipes_shape_comes_first():
    told = {**OPEN, "shape": [None, 3, None, None]}
    assert shape_of(report(told), {"x": SHAPED}, [report({**OPEN, "shape": [1, 1]})]) == [("x", (1, 3, 8, 8))]


@pytest.mark.parametrize("sizes", [[1, 3, 9, 8], [3, 8, 8]])
def test_sizes_that_the_file_does_not_have_are_refused(sizes):
    """The toolkits would resize the samples without a word."""
    assert failure_of(report({**OPEN, "shape": sizes}), {"x": SHAPED}, []) == "recipe:invalid"


def test_the_sizes_that_a_network_was_traced_with_bind_nobody():
    told = {"format": "torchscript", **report({**OPEN, "shape": [1, 3, 9, 9]})}
    assert shape_of(told, {"x": SHAPED}) == [("x", (1, 3, 8, 8))]


def test_an_open_batch_is_one_sample():
    assert shape_of(report({**OPEN, "shape": [None, 8, 8, 3]})) == [("x", (1, 8, 8, 3))]


def test_another_routes_sizes_help_out():
    assert shape_of(report(OPEN), routes=[report({"name": "y", "shape": [1, 5]})]) == [("x", (1, 5))]


def test_a_route_with_more_inputs_does_not():
    two = report({"name": "y", "shape": [1, 5]}, {"name": "z", "shape": [1]})
    assert failure_of(report(OPEN), {}, [two]) == "model:dynamic-input"


def test_an_only_input_is_called_as_the_recipe_calls_it():
    assert shape_of(report(OPEN), {"picture": SHAPED}) == [("picture", (1, 3, 8, 8))]


def test_an_input_that_is_not_there_is_refused():
    two = report(OPEN, {**OPEN, "name": "y"})
    assert failure_of(two, {"z": SHAPED}, []) == "recipe:invalid"


def test_a_file_that_tells_nothing_takes_the_recipes_inputs():
    assert shape_of(report(), {"a": SHAPED}) == [("a", (1, 3, 8, 8))]


def test_nobody_tells_the_inputs():
    assert failure_of(report(), {}, []) == "model:dynamic-input"
