"""Ready .rknn files: what their header tells, which of them are refused, and how their sample goes in."""

import contextlib
import json
import os
import shutil
import signal
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from dashboard.conversions.offers import AS_BUILT, READY
from dashboard.conversions.recipe import RecipeSettings
from similarity.dumpfile import DumpFile
from similarity.tensorfile import TensorFile
from tests.toolkits import modelfiles as files
from tests.toolkits.networks import ignore, network, never, samples_file
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits import rknn2
from workers.toolkits.base import get_toolkit
from workers.toolkits.inspect import inspect_model
from workers.toolkits.inspect_model_job import inspect as look
from workers.toolkits.onnxjob.graph import Input
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.ready_job import as_they_come

TOOLKIT = next(iter(rknn2.here()), None)
TOLD = json.dumps({"version": "2.5.0"}).encode()
SHAPE = (1, 3, 4, 5)
PICTURE = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)


def looked(folder, content: bytes):
    """The inspection without a child of its own, which would take half a second each."""
    (folder.path / "model").write_bytes(content)
    return look(folder.path, {"model": "model"})


def remarks(folder, content: bytes) -> list[str]:
    return [remark["code"] for remark in looked(folder, content)["lint"]]


def test_the_platform_is_told_apart_from_the_toolkit(folder):
    found = looked(folder, files.rknn())
    assert (found["platforms"], found["producer"]) == (["rv1126b"], "RKNN-Toolkit2 2.5.0 for rv1126b")


def test_a_file_of_the_old_toolkit_says_so(folder):
    assert looked(folder, files.standin_rknn())["producer"] == "RKNN-Toolkit 1.7.5 for rv1126"


def test_sizes_of_the_old_toolkit_are_put_the_right_way_round(folder):
    found = looked(folder, files.standin_rknn())
    assert [one["shape"] for one in found["inputs"]] == [[1, 3, 6, 5], [1, 4]]


def test_types_of_the_old_toolkit_are_named_like_numpys(folder):
    assert [one["dtype"] for one in looked(folder, files.standin_rknn())["inputs"]] == ["uint8", "float32"]


def test_a_precompiled_file_is_told_to_give_no_layers(folder):
    assert "precompiled" in remarks(folder, files.standin_rknn(nodes=[{"op": "VSI_NN_OP_NBG"}]))


def test_a_file_of_the_new_toolkit_is_not_called_precompiled(folder):
    assert "precompiled" not in remarks(folder, files.rknn(nodes=[{"op": "RKNN_OP_NNBG"}]))


def test_the_oldest_container_has_a_short_header(folder):
    content = b"RKNN" + bytes(4) + (1).to_bytes(8, "little") + bytes(8)
    content += len(TOLD).to_bytes(8, "little") + TOLD
    assert looked(folder, content)["producer"] == "RKNN-Toolkit2 2.5.0"


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (b"CYPTRKNN" + bytes(64), "encrypted"),
        (files.rknn(container=77), "unknown-container"),
        (files.rknn(target_platform=None), "platform-unknown"),
    ],
)
def test_what_the_file_does_not_tell_is_asked_of_the_recipe(folder, content, remark):
    assert remark in remarks(folder, content)


def lying(at: int, value: int) -> bytes:
    """A file with another length at this place."""
    content = bytearray(files.rknn())
    content[at : at + 8] = value.to_bytes(8, "little")
    return bytes(content)


DAMAGED = {
    "a header cut short": files.rknn()[:20],
    "a graph cut short": files.rknn()[:70],
    "a description cut short": files.rknn()[:-1],
    "a graph beyond the end": lying(16, 1 << 40),
    "a graph of all there is": lying(16, (1 << 64) - 1),
    "a description beyond the end": lying(96, 1 << 40),
    "bad UTF-8": files.contained(b"", b'{"version": "\xff\xfe"}'),
    "no JSON": files.contained(b"", b"{"),
    "JSON without end": files.contained(b"", b"[" * 200_000),
    "a number of a million digits": files.contained(b"", b'{"a": ' + b"9" * 1_000_000 + b"}"),
    "no map": files.contained(b"", b"[1, 2]"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused(folder, name):
    with pytest.raises(Refused) as caught:
        looked(folder, DAMAGED[name])
    assert caught.value.code == "model:damaged"


def test_a_description_of_many_megabytes_is_refused(folder):
    with pytest.raises(Refused) as caught:
        looked(folder, files.contained(b"", b" " * (17 << 20)))
    assert caught.value.code == "model:too-complex"


ODD = {
    "platforms of numbers": {"target_platform": [1, None, {}]},
    "a version of a list": {"version": ["1"]},
    "a graph of texts": {"graph": ["input", 3]},
    "a tensor number of a list": {"graph": [{"left": "input", "right_tensor_id": [0]}]},
    "tensors without numbers": {"norm_tensor": [{"url": "x"}, 7]},
    "sizes of texts": {"norm_tensor": [{**files.IMAGE, "size": ["a", True, -1, 1 << 70]}]},
    "more dimensions than there are": {"norm_tensor": [{**files.IMAGE, "size": [1] * 100_000}]},
    "a name of control characters": {"norm_tensor": [{**files.IMAGE, "url": "a\0\x1b[31m\ud800"}]},
    "a type of control characters": {"norm_tensor": [{**files.IMAGE, "dtype": {"vx_type": "\0"}}]},
    "many platforms": {"target_platform": ["x" * 1000] * 1000},
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_description_tells_nothing_that_cannot_be_stored(folder, name):
    text = json.dumps(looked(folder, files.rknn(**ODD[name])), ensure_ascii=False)
    assert len(text) < 4000 and "\0" not in text and text.encode("utf-8")


def test_the_child_refuses_a_damaged_file_too(folder, tmp_path):
    upload = tmp_path / "upload"
    upload.write_bytes(files.rknn()[:-1])
    with pytest.raises(JobError) as caught:
        inspect_model(folder, upload)
    assert caught.value.code == "model:damaged"


def carried_out(
    folder, content: bytes, sample, *, platform: str = "rv1126b", shape=SHAPE, beside=None, on_event=ignore,
    **settings,
):  # fmt: skip
    """The file by the toolkit `ready`, as the worker does it; `beside` is the ONNX model of another route."""
    (folder.path / "source.rknn").write_bytes(content)
    if beside is not None:
        (folder.path / "framework.onnx").write_bytes(beside.SerializeToString())
    samples_file(folder.path / "evaluation.safetensors", [sample])
    recipe = RecipeSettings(READY, platform, AS_BUILT, AS_BUILT)
    told = {**recipe.as_dict(), "inputs": {"image": settings} if settings else {}}
    folder.write_job(
        {
            "kind": "convert",
            "source": "source.rknn",
            "format": "rknn",
            "inputs": [{"name": "image", "shape": list(shape), "dtype": "int8"}],
            "evaluation": "evaluation.safetensors",
            "sample": 0,
            "layout": {"evaluation": "NHWC"},
            "recipe": told,
            **({"framework": "framework.onnx", "framework_by": "route"} if beside is not None else {}),
        }
    )
    return get_toolkit(recipe).convert(folder, on_event, never)


def fed(made) -> np.ndarray:
    with TensorFile.open(made.inputs) as inputs:
        return inputs.array("image").copy()


def test_the_artifact_is_the_file_itself(folder):
    content = files.rknn()
    assert carried_out(folder, content, {"": PICTURE}).artifact.read_bytes() == content


def test_nothing_is_said_to_be_known_of_its_layers(folder):
    made = carried_out(folder, files.rknn(), {"": PICTURE})
    assert (made.dumps, made.calibration_table, made.build_facts) == ({}, None, None)


def test_it_is_the_work_of_the_toolkit_that_built_it(folder):
    assert carried_out(folder, files.rknn(), {"": PICTURE}).toolkit_version == "RKNN-Toolkit2 2.5.0"


def test_a_picture_goes_in_as_it_is_in_the_order_of_the_file(folder):
    found = fed(carried_out(folder, files.rknn(), {"": PICTURE}))
    assert found.dtype == np.uint8 and np.array_equal(found, PICTURE.transpose(2, 0, 1)[None])


def test_mean_and_std_of_what_is_no_picture_are_done_before(folder):
    row = np.arange(60, dtype=np.uint8)
    found = fed(carried_out(folder, files.rknn(), {"": row}, shape=(1, 60), mean=[3.0], std=[2.0]))
    expected = (row[None].astype(np.float32) - 3) / 2
    assert found.dtype == np.float32 and np.array_equal(found, expected)


def test_a_type_that_no_runtime_takes_becomes_float(folder):
    sample = np.arange(60, dtype=np.float64).reshape(4, 5, 3)
    assert fed(carried_out(folder, files.rknn(), {"image": sample})).dtype == np.float32


def test_a_file_for_another_platform_is_refused_by_the_job_too(folder):
    with pytest.raises(JobError) as caught:
        carried_out(folder, files.rknn(), {"": PICTURE}, platform="rk3588")
    assert caught.value.code == "recipe:wrong-platform"


def relu(*sizes: int | str):
    """A float network whose input is called otherwise than the file's."""
    return network([helper.make_node("Relu", ["x"], ["y"], "relu")], inputs={"x": sizes}, outputs=["y"])


@pytest.mark.parametrize("sizes", [SHAPE, ("n", 3, "h", "w")])
def test_the_float_network_gets_the_sample_with_mean_and_std(folder, sizes):
    made = carried_out(folder, files.rknn(), {"": PICTURE}, beside=relu(*sizes), mean=[20.0], std=[2.0])
    expected = np.maximum((PICTURE.transpose(2, 0, 1)[None].astype(np.float32) - 20) / 2, 0)
    with DumpFile.open(made.dumps["framework"]) as dump:
        assert np.array_equal(dump.values(dump.layers[-1].key), expected)


def test_the_file_itself_gets_it_without_them(folder):
    made = carried_out(folder, files.rknn(), {"": PICTURE}, beside=relu(*SHAPE), mean=[20.0], std=[2.0])
    assert np.array_equal(fed(made), PICTURE.transpose(2, 0, 1)[None])


@pytest.mark.parametrize("other", [relu(1, 3, 9, 9), None])
def test_a_float_network_that_does_not_fit_leaves_the_file(folder, other):
    broken = other or onnx.ModelProto()
    assert carried_out(folder, files.rknn(), {"": PICTURE}, beside=broken).dumps == {}


class Killer:
    """Ends the program that runs the float network at its first words, so often."""

    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.left, self.told = folder, times, []

    def __call__(self, event) -> None:
        self.told.append(str(event.get("text", "")))
        for pid in self._programs() if self.left else []:
            os.kill(pid, signal.SIGKILL)
            self.left -= 1

    def _programs(self) -> list[int]:
        """Those that work in the folder; not the guard, which has the same words in one argument."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (place / "cmdline").read_bytes().split(b"\0")
                if b"workers.toolkits.float_route_job" in words and str(self.folder).encode() in words:
                    found.append(int(place.name))
        return found


@pytest.mark.parametrize(("deaths", "dumps"), [(1, ["framework"]), (2, [])])
def test_a_float_network_that_somebody_killed_is_run_once_more(folder, deaths, dumps):
    killer = Killer(folder.path, deaths)
    made = carried_out(folder, files.rknn(), {"": PICTURE}, beside=relu(*SHAPE), on_event=killer)
    said = any("the float network failed. It was ended by SIGKILL" in text for text in killer.told)
    assert (list(made.dumps), killer.left, said) == (dumps, 0, not dumps)


def test_the_type_is_that_of_the_sample_which_goes_in(tmp_path):
    file = samples_file(tmp_path / "samples", [{"image": PICTURE}, {"image": PICTURE.astype(np.float32)}])
    inputs = [Input("image", SHAPE, "int8")]
    types = [as_they_come(file, index, inputs, {})[0].dtype for index in range(3)]
    assert types == ["uint8", "float32", "int8"]


@pytest.mark.skipif(TOOLKIT is None, reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)")
@pytest.mark.parametrize(
    ("platform", "dtype"), [("rv1126b", "w8a8"), ("rk3588", "float"), ("rv1106", "w8a8")]
)
def test_a_file_of_the_real_toolkit_tells_its_platform_and_ends(folder, tmp_path, platform, dtype):
    from tests.toolkits.networks import random_samples
    from tests.toolkits.test_rknn2 import PICTURE as PICTURES
    from tests.toolkits.test_rknn2 import convert, picture_net

    with JobFolder(tmp_path, "made") as place:
        made = convert(place, picture_net(), random_samples(PICTURES), platform=platform, dtype=dtype)
        shutil.copy(made.artifact, tmp_path / "upload")
    found = inspect_model(folder, tmp_path / "upload")
    assert found.platforms == (platform,)
    ends = [(one["name"], one["shape"]) for one in map(asdict, (*found.inputs, *found.outputs))]
    assert ends == [("x", (1, 3, 16, 16)), ("y", (1, 3, 32, 32))]
