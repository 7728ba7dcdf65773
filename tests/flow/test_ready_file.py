"""A ready .rknn file from its upload by REST to the verdict: a real agent runs it on a board behind a real SSH server,
with a stand-in for the vendor's library.
"""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from rest_framework.test import APIClient

from dashboard import files
from dashboard.boards import keys
from dashboard.boards.models import Board
from dashboard.boards.services import BoardSettings, register_board
from dashboard.evaluations.models import Leg, Outcome
from dashboard.health.golden import name_golden_model
from dashboard.history.trends import trend
from dashboard.projects.models import Project
from tests.api.conftest import caller
from tests.boardagent.npuchild import IMAGE, OFFSET, network, read
from tests.boardagent.standin import build
from tests.factories import make_model, make_project, owner_of
from tests.toolkits.modelfiles import rknn, standin_rknn
from tests.toolkits.networks import network as network_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]
READY = {"toolkit": "ready", "platform": "rv1126"}
SAMPLE = {"image_61": IMAGE, "offset": OFFSET}


@pytest.fixture(scope="module")
def rknn_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A board without a virtual NPU: its only library is the stand-in of librknn_api.so 1.7."""
    folder, key = tmp_path_factory.mktemp("board"), keys.new_private_key()
    (folder / "authorized_keys").write_text(keys.public_key(key) + "\n")
    (folder / "authorized_keys").chmod(0o600)
    argv = [sys.executable, "-m", "simboard", "--dir", str(folder), "--port", "0", "--die-with-parent"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    python = folder / "bin" / "python3"
    real = python.readlink()
    python.unlink()
    settings = (
        f"LAYERWISE_SIM_NPU= LAYERWISE_RKNN_LIBRARY={build('librknn_api', folder)} RKNN_STANDIN_TRY_MS=20"
    )
    python.write_text(f'#!/bin/sh\n{settings} exec {real} "$@"\n')
    python.chmod(0o755)
    yield {"private_key": key, **told}
    process.terminate()
    process.wait(20)
    process.stdout.close()


@pytest.fixture
def project(rknn_board: Mapping[str, Any]) -> Project:
    """A project that may use the board."""
    project = make_project()
    wanted = BoardSettings(
        name="rv1126-a",
        address="127.0.0.1",
        port=rknn_board["port"],
        username=rknn_board["user"],
        host_key=rknn_board["host_key"],
        private_key=rknn_board["private_key"],
        work_folder=rknn_board["workdir"],
    )
    register_board(wanted, [project], owner_of(project))
    return project


class Asking:
    """A training job that uploads a file and a sample, and asks."""

    def __init__(self, project: Project, run_queue: Callable[[], int]) -> None:
        self.project, self.run_queue = project, run_queue
        self.api: APIClient = caller(project)
        self.model = make_model(project)

    def upload(
        self, content: bytes, sample: Mapping[str, NDArray[Any]] = SAMPLE, onnx: bytes = b""
    ) -> dict[str, Any]:
        """The body of a request about them; both have been inspected. `onnx` is another route of the version."""
        routes = {"source.board": SimpleUploadedFile("net.rknn", content)}
        if onnx:
            routes["source.float"] = SimpleUploadedFile("net.onnx", onnx)
        version = self._post("versions", {"model": self.model.pk, **routes})
        arrays = io.BytesIO()
        np.savez(arrays, **sample)  # type: ignore[arg-type]  # its keywords are arrays
        fields = {"project": self.project.pk, "purpose": "evaluation", "layout": "NCHW"}
        named = SimpleUploadedFile("sample.npz", arrays.getvalue())
        samples = self._post("input-sets", {**fields, "file": named})
        self.run_queue()
        return {"version": version["id"], "samples": samples["id"], "recipe": READY, "iterations": 3}

    def _post(self, what: str, fields: dict[str, Any]) -> dict[str, Any]:
        answer = self.api.post(f"/api/v1/{what}/", fields, format="multipart")
        assert answer.status_code == 201, answer.content
        told: dict[str, Any] = answer.json()
        return told

    def evaluate(self, body: Mapping[str, Any]) -> Leg:
        """The leg of its only route, at its end."""
        answer = self.api.post("/api/v1/evaluations/", body, format="json")
        assert answer.status_code == 201, answer.content
        self.run_queue()
        return Leg.objects.get(evaluation=answer.json()["id"], source__route="board")


@pytest.fixture
def asking(project: Project, run_queue: Callable[[], int]) -> Asking:
    return Asking(project, run_queue)


def float_network(weight: float = 0.25) -> bytes:
    """What the stand-in's network was before somebody built it; another weight is another network."""
    weights = [[[[((o * 3 + c * 5) % 7 - 3) * weight]] for c in range(3)] for o in range(4)]
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["plain"], "plain"),
        helper.make_node("Unsqueeze", ["offset", "axes"], ["wide"], "wide"),
        helper.make_node("Add", ["plain", "wide"], ["sum"], "sum"),
        helper.make_node("Relu", ["sum"], ["conv1"], "conv1"),
        helper.make_node(
            "AveragePool",
            ["conv1"],
            ["map"],
            "dw blur",
            kernel_shape=[3, 3],
            pads=[1] * 4,
            count_include_pad=1,
        ),
        helper.make_node("ReduceMean", ["map"], ["score"], "pool", axes=[2, 3], keepdims=0),
    ]
    constants = [
        numpy_helper.from_array(np.array(weights, np.float32), "w"),
        numpy_helper.from_array(np.array([2, 3]), "axes"),
    ]
    inputs = {"image": (1, 3, 6, 5), "offset": (1, 4)}
    made = network_of(nodes, inputs=inputs, outputs=["map", "score"], initializers=constants)
    return made.SerializeToString()


STD = {"inputs": {"image_61": {"std": [255]}}}  # built into the file, as the vendor's tools do


def test_beside_a_float_network_the_board_is_held_against_it(asking: Asking) -> None:
    body = asking.upload(standin_rknn(), onnx=float_network())
    leg = asking.evaluate({**body, "recipe": {**READY, **STD}})
    assert (leg.conversion.artifact.framework_by, leg.conversion.artifact.quantized) == ("route", None)
    assert leg.conversion.artifact.framework.rung == "framework"
    scores = {score.name: score.cosine > 0.999 for score in leg.on_board.scores.all()}
    assert scores == {"conv1": True, "dw blur": True, "pool": True}
    assert (leg.outcome, leg.step, leg.advice) == (Outcome.PASS, "", [])
    assert "agrees with the float network" in leg.sentence
    assert (
        leg.evaluation.outcome == Outcome.PASS
    )  # the network itself is not converted by this, and has no leg

    client = Client()
    client.force_login(owner_of(asking.project))
    for address in (leg.evaluation.get_absolute_url(), leg.run.get_absolute_url()):
        page = client.get(address).content.decode()
        assert "float → board" in page and "quantized → board" not in page


def test_a_board_that_computes_something_else_fails_without_blaming_a_step(asking: Asking) -> None:
    body = asking.upload(standin_rknn(), onnx=float_network(-0.25))
    leg = asking.evaluate({**body, "recipe": {**READY, **STD}})
    assert (leg.outcome, leg.step, leg.reasons[0]["code"]) == (Outcome.FAIL, "", "board:differs-from-float")
    assert "Which step is to blame" in leg.advice[0]


def test_a_float_network_that_cannot_be_run_leaves_a_run_only(asking: Asking) -> None:
    nodes = [helper.make_node("Relu", ["image"], ["y"], "relu")]
    other = network_of(nodes, inputs={"image": (1, 3, 6, 5)}, outputs=["y"])  # another number of inputs
    leg = asking.evaluate(asking.upload(standin_rknn(), onnx=other.SerializeToString()))
    assert (leg.run.state, leg.conversion.artifact.framework, leg.on_board) == ("succeeded", None, None)
    assert "Nothing to compare with: the float network failed" in leg.conversion.log


def test_a_ready_file_waits_for_the_inspection_of_the_float_network(asking: Asking) -> None:
    body = asking.upload(standin_rknn())
    routes = {
        "source.board": SimpleUploadedFile("net.rknn", standin_rknn("h 6")),
        "source.float": SimpleUploadedFile("net.onnx", float_network()),
    }
    version = asking._post("versions", {"model": asking.model.pk, **routes})
    leg = asking.evaluate({**body, "version": version["id"], "recipe": {**READY, **STD}})
    assert leg.conversion.artifact.framework_by == "route"


def test_a_ready_file_is_run_as_it_is(asking: Asking) -> None:
    content = standin_rknn()
    leg = asking.evaluate(asking.upload(content))
    assert [(job.kind, job.state, job.failure) for job in leg.jobs] == [
        ("conversion", "succeeded", ""),
        ("run", "succeeded", ""),
    ]

    # the artifact is the upload, byte for byte; nothing else is said to be known of it
    artifact = leg.conversion.artifact
    assert files.existing(artifact.sha256).read_bytes() == content
    assert (artifact.framework, artifact.converted, artifact.quantized) == (None, None, None)
    assert (artifact.toolkit_version, artifact.platform) == ("RKNN-Toolkit 1.7.5", "rv1126")
    told = asking.api.get(f"/api/v1/artifacts/{artifact.pk}/").json()
    assert (told["framework"], told["framework_by"], told["calibration_table_sha256"]) == (None, "", "")
    assert asking.api.get(f"/api/v1/artifacts/{artifact.pk}/calibration-table/").status_code == 404

    # what the board computed of the sample is what the network computes
    result = leg.run.result
    found = read(files.existing(result.outputs_sha256))["map"]
    assert np.abs(found - network()[1]).max() <= 0.0201
    assert [row["name"] for row in result.timed_layers][-1] == "pool_4"
    assert (result.dump.rung, len(result.dump.layers)) == ("board", 3)

    # and the verdict promises nothing
    assert leg.outcome == Outcome.CANNOT_TELL
    assert "Nothing to compare with: run only" in leg.sentence


def test_the_pages_say_what_is_there_and_what_not(asking: Asking) -> None:
    leg = asking.evaluate(asking.upload(standin_rknn()))
    client = Client()
    client.force_login(owner_of(asking.project))
    pages = [
        client.get(address).content.decode()
        for address in (leg.evaluation.get_absolute_url(), leg.run.get_absolute_url())
    ]
    for words in (
        "Run only: this file was built elsewhere",
        f"?candidate={leg.run.result.dump_id}",
        "pool_4",
    ):
        assert all(words in page for page in pages)
    assert "calibration" not in pages[0] and "data types of the layers" not in pages[0]
    assert client.get(f"/legs/{leg.pk}/data-types/").status_code == 200
    twice = client.get("/compare/", {"a": leg.run_id, "b": leg.run_id})
    assert "layers are aligned by name" in twice.content.decode()


def test_the_dump_can_be_compared_with_any_other(asking: Asking) -> None:
    body = asking.upload(standin_rknn())
    first, again = (asking.evaluate(body).run.result.dump for _ in range(2))
    asked = {"reference": first.pk, "candidate": again.pk}
    answer = asking.api.post("/api/v1/comparisons/", asked, format="json")
    asking.run_queue()
    told = asking.api.get(f"/api/v1/comparisons/{answer.json()['id']}/").json()
    assert (told["state"], told["summary"]["layers"], told["summary"]["worst_cosine"]) == (
        "succeeded",
        3,
        1.0,
    )


def test_it_has_a_history_and_can_be_a_golden_model(asking: Asking) -> None:
    leg = asking.evaluate(asking.upload(standin_rknn()))
    [point] = trend(asking.model)
    assert (point.median_us, point.quantization, point.on_board) == (leg.run.result.median_us, {}, {})
    golden = name_golden_model(leg.run, owner_of(asking.project))
    assert golden.outputs.get().outputs_sha256 == leg.run.result.outputs_sha256


def test_of_a_precompiled_file_there_are_outputs_and_no_layers(asking: Asking) -> None:
    content = standin_rknn("precompiled 1", nodes=[{"op": "VSI_NN_OP_NBG"}])
    leg = asking.evaluate(asking.upload(content))
    assert (leg.run.state, leg.run.result.dump) == ("succeeded", None)
    assert "none was dumped" in leg.sentence
    assert "artifact is precompiled" in leg.run.log


def test_a_runtime_that_does_not_take_the_file_ends_the_leg_with_its_code(asking: Asking) -> None:
    leg = asking.evaluate(asking.upload(standin_rknn("fault init:-13")))
    found = (leg.outcome, leg.run.failure, leg.reasons[0]["code"])
    assert found == (Outcome.CANNOT_TELL, "board:rejected-artifact", "board:rejected-artifact")


def test_a_simulated_board_does_not_get_such_a_file_and_the_verdict_says_why(
    run_queue: Callable[[], int], board: Callable[[Project], Board]
) -> None:
    project = make_project()
    board(project)
    asking = Asking(project, run_queue)
    leg = asking.evaluate(asking.upload(standin_rknn()))
    assert (leg.run, leg.reasons[0]["code"]) == (None, "board:none-suitable")
    assert (
        "there are boards of software only (NPU sim), which execute what the toolkit reference makes"
        in leg.sentence
    )


def test_without_a_board_the_verdict_says_so(run_queue: Callable[[], int]) -> None:
    asking = Asking(make_project(), run_queue)
    leg = asking.evaluate(asking.upload(standin_rknn()))
    assert (leg.run, leg.reasons[0]["code"]) == (None, "board:none-suitable")


def test_a_file_for_another_platform_is_refused_before_a_job_starts(asking: Asking) -> None:
    body = asking.upload(rknn())
    answer = asking.api.post("/api/v1/evaluations/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:wrong-platform")
    assert "rv1126b" in answer.json()["detail"]


def test_a_board_of_another_platform_is_refused_before_a_job_starts(asking: Asking) -> None:
    body = asking.upload(rknn()) | {"recipe": {"toolkit": "ready", "platform": "rv1126b"}}
    board = Board.objects.get(name="rv1126-a").pk
    answer = asking.api.post("/api/v1/evaluations/", {**body, "board": board}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (422, "recipe:invalid")


def test_before_its_inspection_a_file_for_another_platform_ends_its_leg(asking: Asking) -> None:
    upload = SimpleUploadedFile("net.rknn", rknn())
    body = asking.upload(standin_rknn())
    version = asking._post("versions", {"model": make_model(asking.project).pk, "source.board": upload})
    leg = asking.evaluate({**body, "version": version["id"]})
    assert (leg.reasons[0]["code"], leg.conversion) == ("recipe:wrong-platform", None)


def test_an_encrypted_file_runs_when_the_recipe_says_its_inputs(asking: Asking) -> None:
    """The stand-in takes no such file: the board refuses it, and until then everything is in order."""
    body = asking.upload(b"CYPTRKNN" + bytes(100), {"image": IMAGE})
    shapes = {"inputs": {"image": {"shape": [1, 3, 6, 5]}}}
    leg = asking.evaluate({**body, "recipe": {**READY, **shapes}})
    assert (leg.conversion.state, leg.run.failure) == ("succeeded", "board:rejected-artifact")


def test_an_encrypted_file_whose_inputs_nobody_says_fails_with_what_is_missing(asking: Asking) -> None:
    leg = asking.evaluate(asking.upload(b"CYPTRKNN" + bytes(100), {"image": IMAGE}))
    assert (leg.conversion.failure, leg.run) == ("model:dynamic-input", None)
    assert "name them in the recipe" in leg.conversion.detail


def test_a_sample_of_another_size_is_refused_with_both_shapes(asking: Asking) -> None:
    sample = {"image_61": np.zeros((1, 3, 8, 8), np.uint8), "offset": OFFSET}
    leg = asking.evaluate(asking.upload(standin_rknn(), sample))
    assert leg.conversion.failure == "data:wrong-shape"
    assert "[1, 3, 8, 8]" in leg.conversion.detail and "[1, 3, 6, 5]" in leg.conversion.detail
