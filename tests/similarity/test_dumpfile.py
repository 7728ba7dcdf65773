"""Dumps: a round trip, and layers that the contract does not allow."""

import json
from dataclasses import replace

import numpy as np
import pytest

from similarity.dumpfile import (
    DamagedFile,
    DumpFile,
    LayerInfo,
    TensorFile,
    layer_of,
    relabel_dump,
    write_dump,
    write_tensors,
)

ARRAYS = [np.arange(6, dtype=np.float32).reshape(1, 2, 3), np.array([[0, 128, 255]], np.uint8)]
LAYERS = [
    layer_of(ARRAYS[0], "conv", "Conv", layout="NCHW", name="Conv_1", sources=("Conv_1", "Relu_1")),
    layer_of(ARRAYS[1], "sum", "Add", scale=0.5, zero_point=128, qmin=0, qmax=255, inputs=("conv",)),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dump"


def test_layers_come_back_as_they_were_written(path):
    write_dump(path, "board", LAYERS, ARRAYS)
    with DumpFile.open(path) as dump:
        assert dump.layers == tuple(LAYERS)


@pytest.mark.parametrize("simulated", [True, False])
def test_rung_and_label_come_back(path, simulated):
    write_dump(path, "board", LAYERS, ARRAYS, simulated=simulated)
    with DumpFile.open(path) as dump:
        assert (dump.rung, dump.simulated) == ("board", simulated)


def test_float_values_are_not_copied(path):
    write_dump(path, "board", LAYERS, ARRAYS)
    with DumpFile.open(path) as dump:
        assert not dump.values("conv").flags.owndata


def test_integers_become_floats_through_their_scale(path):
    write_dump(path, "board", LAYERS, ARRAYS)
    with DumpFile.open(path) as dump:
        assert dump.values("sum").tolist() == [[-64.0, 0.0, 63.5]]


def test_stored_values_are_as_the_board_wrote_them(path):
    write_dump(path, "board", LAYERS, ARRAYS)
    with DumpFile.open(path) as dump:
        assert dump.stored("sum").tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("dtype", [np.float16, np.int32])
def test_other_plain_types_become_floats(path, dtype):
    array = np.array([1, -2, 3], dtype)
    write_dump(path, "board", [layer_of(array, "a")], [array])
    with DumpFile.open(path) as dump:
        assert dump.values("a").tolist() == [1.0, -2.0, 3.0]


def test_a_float_layer_with_a_scale_is_not_scaled_again(path):
    array = np.array([0.5, 1.0], np.float32)
    write_dump(path, "quantized", [layer_of(array, "a", scale=0.5, zero_point=3, qmin=0, qmax=255)], [array])
    with DumpFile.open(path) as dump:
        assert dump.values("a").tolist() == [0.5, 1.0]


def test_arrays_may_come_as_a_stream(path):
    write_dump(path, "board", LAYERS, iter(ARRAYS), dtypes=["F32", "U8"])
    with DumpFile.open(path) as dump:
        assert dump.values("conv").tolist() == ARRAYS[0].tolist()


def test_a_stream_needs_its_types_beforehand(path):
    with pytest.raises(ValueError, match="dtypes"):
        write_dump(path, "board", LAYERS, iter(ARRAYS))


@pytest.mark.parametrize("key", ["c", "a name that is longer than the header had room for " * 40])
def test_layers_are_described_anew_in_place(path, key):
    write_dump(path, "quantized", LAYERS, ARRAYS)
    layers = [replace(LAYERS[0], key=key), replace(LAYERS[1], key="conv", inputs=(key,))]
    relabel_dump(path, layers)
    with DumpFile.open(path) as dump:
        tensors = [dump.stored(name).tolist() for name in (key, "conv")]
        assert (dump.layers, tensors) == (tuple(layers), [array.tolist() for array in ARRAYS])


def test_rung_and_label_stay_when_layers_are_described_anew(path):
    write_dump(path, "quantized", LAYERS, ARRAYS, simulated=True)
    relabel_dump(path, LAYERS)
    with DumpFile.open(path) as dump:
        assert (dump.rung, dump.simulated) == ("quantized", True)


@pytest.mark.parametrize(
    "layers", [LAYERS[:1], LAYERS[::-1], [LAYERS[0], replace(LAYERS[1], key="conv")]], ids=len
)
def test_layers_that_are_not_those_of_the_dump_leave_it_as_it_was(path, layers):
    write_dump(path, "quantized", LAYERS, ARRAYS)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"not those of the dump|one name"):
        relabel_dump(path, layers)
    assert path.read_bytes() == before


def test_an_array_that_is_not_what_its_layer_says_is_refused(path):
    with pytest.raises(ValueError, match="not what was announced"):
        write_dump(path, "board", LAYERS, [ARRAYS[0], ARRAYS[0]], dtypes=["F32", "U8"])


def test_the_end_of_a_range_is_a_real_value():
    layer = LayerInfo("a", "a", "Conv", (1,), scale=0.5, zero_point=128, qmin=0, qmax=255)
    assert (layer.end_value(layer.qmin), layer.end_value(layer.qmax)) == (-64.0, 63.5)


def write_with(path, layers=None, tensors=None, **metadata):
    entries = [{"key": "a", "name": "a", "op": "Conv"}] if layers is None else layers
    written = {"layerwise": "dump/1", "rung": "board", "simulated": "no"}
    text = entries if isinstance(entries, str) else json.dumps(entries)
    write_tensors(path, tensors or {"a": np.ones(2, np.float32)}, {**written, "layers": text, **metadata})


def test_fields_that_are_left_out_have_no_value(path):
    write_with(path)
    with DumpFile.open(path) as dump:
        assert dump.layers == (LayerInfo("a", "a", "Conv", (2,)),)


@pytest.mark.parametrize(
    "metadata",
    [
        {"layerwise": "samples/1"},
        {"rung": ""},
        {"rung": "x" * 100},
        {"simulated": "perhaps"},
        {"layers": "[}"},
    ],
    ids=lambda metadata: next(iter(metadata)),
)
def test_metadata_that_is_not_a_dumps_is_refused(path, metadata):
    write_with(path, **metadata)
    with pytest.raises(DamagedFile, match=r"\.$"):
        DumpFile.open(path)


A = {"key": "a", "name": "a", "op": "Conv"}
BAD_LAYERS = {
    "an object for a list": {"a": A},
    "a layer that is text": ["a"],
    "a layer without a name": [{"key": "a", "op": "Conv"}],
    "a layer with a field nobody knows": [{**A, "colour": "red"}],
    "a key without a tensor": [A, {**A, "key": "b"}],
    "a tensor without a layer": [],
    "two layers of one key": [A, A],
    "a key that is a number": [{**A, "key": 1}],
    "an unknown layout": [{**A, "layout": "CHWN"}],
    "a layout that is a list": [{**A, "layout": []}],
    "a negative scale": [{**A, "scale": -1.0}],
    "a scale of zero": [{**A, "scale": 0}],
    "a scale beyond float32": [{**A, "scale": 1e300}],
    "a scale that is text": [{**A, "scale": "0.1"}],
    "a scale that is true": [{**A, "scale": True}],
    "a zero point that is a fraction": [{**A, "zero_point": 0.5}],
    "a range that ends before it begins": [{**A, "qmin": 5, "qmax": 1}],
    "inputs that are text": [{**A, "inputs": "b"}],
    "an input that is a number": [{**A, "inputs": [1]}],
    "a source that cannot be printed": [{**A, "sources": ["\u0007"]}],
    "an infinite scale": '[{"key":"a","name":"a","op":"Conv","scale":1e999}]',
    "NaN for a scale": '[{"key":"a","name":"a","op":"Conv","scale":NaN}]',
    "a key said twice": '[{"key":"a","key":"a","name":"a","op":"Conv"}]',
    "lists without end": "[" * 100_000,
}


@pytest.mark.parametrize("layers", BAD_LAYERS.values(), ids=BAD_LAYERS)
def test_a_layer_outside_the_contract_is_refused(path, layers):
    write_with(path, layers)
    with pytest.raises(DamagedFile, match=r"\.$"):
        DumpFile.open(path)


@pytest.mark.parametrize("missing", ["scale", "zero_point"])
def test_integers_without_their_scale_are_refused(path, missing):
    layer = {**A, "scale": 0.5, "zero_point": 1, missing: None}
    write_with(path, [layer], {"a": np.ones(2, np.uint8)})
    with pytest.raises(DamagedFile, match="scale or zero_point"):
        DumpFile.open(path)


def test_a_type_that_dumps_may_not_hold_is_refused(path):
    write_with(path, tensors={"a": np.ones(2, np.float64)})
    with pytest.raises(DamagedFile, match="may not hold"):
        DumpFile.open(path)


def test_an_inputs_file_is_read_like_any_tensor_file(path):
    write_tensors(path, {"x": np.ones((1, 3), np.float32)}, {"layerwise": "inputs/1"})
    with TensorFile.open(path) as opened:
        assert opened.array("x").shape == (1, 3)
