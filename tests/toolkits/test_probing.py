"""Toolkits are asked what they can do, in a child of their own interpreter; what fails is not offered."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from dashboard.conversions.offers import OFFERS
from dashboard.conversions.recipe import RecipeSettings
from tests.toolkits.standin_rknn2 import make_empty, make_standin
from workers.errors import JobError
from workers.toolkits import probing, rknn2
from workers.toolkits.base import can_do, get_toolkit, toolkits

DTYPES = {"rk3588": ("w8a8",), "rv1126b": ("w8a8", "w4a16")}
RECIPE = RecipeSettings(toolkit="rknn2", platform="rk3588", dtype="w8a8")


def versions() -> list[str]:
    return [toolkit.offered.version for toolkit in toolkits(["rknn2"])]


@pytest.fixture
def two(settings: Settings, tmp_path: Path) -> list[Path]:
    """Two stand-ins side by side; only the older one takes rv1126b."""
    old = make_standin(tmp_path / "old", "2.3.2", DTYPES)
    new = make_standin(tmp_path / "new", "2.10.0", {"rk3588": ("w8a8",)})
    settings.RKNN2_DIRS = [old, new]
    return settings.RKNN2_DIRS


def test_the_built_in_toolkit_can_do_all_that_is_legal() -> None:
    [toolkit] = toolkits(["reference"])
    assert toolkit.offered.offer == OFFERS["reference"]


def test_a_stand_in_is_offered_as_its_own_config_answers(settings: Settings, tmp_path: Path) -> None:
    settings.RKNN2_DIRS = [make_standin(tmp_path / "one", "2.3.2", DTYPES)]
    [toolkit] = toolkits(["rknn2"])
    assert (toolkit.offered.title, toolkit.offered.offer.dtypes) == (
        "rknn-toolkit2 2.3.2",
        {"rv1126b": ("w8a8", "float", "w4a16"), "rk3588": ("w8a8", "float")},
    )


@pytest.mark.skipif(not rknn2.here(), reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)")
def test_the_real_toolkit_can_do_all_that_is_legal() -> None:
    found, legal = rknn2.here()[0].offered.offer, OFFERS["rknn2"]
    assert (found.dtypes, found.algorithms) == (legal.dtypes, legal.algorithms)


USUAL = ("onnx", "torchscript", "caffe", "darknet")


@pytest.mark.parametrize(
    ("content", "formats"),
    [(None, USUAL), ("", OFFERS["rknn2"].formats), ("raise ImportError('protobuf')", USUAL)],
    ids=["not there", "there", "broken"],
)
def test_formats_that_need_tensorflow_are_offered_where_it_can_be_imported(
    settings: Settings, tmp_path: Path, content: str | None, formats: tuple[str, ...]
) -> None:
    folder = make_standin(tmp_path / "one", "2.5.0", DTYPES)
    if content is not None:
        (folder / "site" / "tensorflow.py").write_text(content)
    settings.RKNN2_DIRS = [folder]
    [toolkit] = toolkits(["rknn2"])
    assert toolkit.offered.offer.formats == formats


def test_a_source_goes_to_the_version_that_can_load_it(two: list[Path]) -> None:
    (two[0] / "site" / "tensorflow.py").write_text("")
    found = [get_toolkit(RECIPE, source).offered.version for source in ("onnx", "tflite")]
    assert found == ["2.10.0", "2.3.2"]


def test_a_source_that_nobody_here_can_load_is_refused_with_what_to_add(two: list[Path]) -> None:
    with pytest.raises(JobError, match=r"source format tflite.*make toolkit-rknn2 WITH=tensorflow"):
        get_toolkit(RECIPE, "tflite")


def test_the_newest_version_that_can_do_it_is_taken(two: list[Path]) -> None:
    assert get_toolkit(RECIPE).offered.version == "2.10.0"


def test_an_older_version_does_what_the_newer_one_refuses(two: list[Path]) -> None:
    recipe = RecipeSettings(toolkit="rknn2", platform="rv1126b", dtype="w4a16")
    assert get_toolkit(recipe).offered.version == "2.3.2"


def test_the_version_that_a_recipe_names_is_taken(two: list[Path]) -> None:
    recipe = RecipeSettings(toolkit="rknn2", platform="rk3588", dtype="w8a8", toolkit_version="2.3.2")
    assert get_toolkit(recipe).offered.version == "2.3.2"


def test_a_version_that_is_not_here_is_refused_by_name(two: list[Path]) -> None:
    with pytest.raises(JobError, match=r"rknn2 2\.4\.0, only 2\.10\.0 and 2\.3\.2"):
        get_toolkit(RecipeSettings(toolkit="rknn2", platform="rk3588", dtype="w8a8", toolkit_version="2.4.0"))


def test_a_toolkit_whose_package_is_gone_is_not_offered(settings: Settings, tmp_path: Path) -> None:
    settings.RKNN2_DIRS = [make_empty(tmp_path / "empty")]
    assert (versions(), can_do(RECIPE)) == ([], False)


def test_why_it_is_not_offered_stands_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = make_empty(tmp_path / "empty")
    probing.probed("rknn2", empty / "bin" / "python")
    assert "No module named 'rknn'" in caplog.text


def test_an_environment_that_is_deleted_is_offered_no_longer(two: list[Path]) -> None:
    before = versions()
    (two[0] / "bin" / "python").unlink()
    assert (before, versions()) == (["2.10.0", "2.3.2"], ["2.10.0"])


@pytest.mark.parametrize(
    "program",
    [
        "exit 3",
        "kill -9 $$",
        "echo '{}' > $6/result.json",
        """echo '{"version": "9 9", "title": "x", "dtypes": {}, "algorithms": []}' > $6/result.json""",
        "echo nonsense > $6/result.json",
    ],
)
def test_a_probe_that_ends_badly_offers_nothing(settings: Settings, tmp_path: Path, program: str) -> None:
    folder = make_empty(tmp_path / "bad")
    (folder / "bin" / "python").write_text(f"#!/bin/sh\n{program}\n")
    settings.RKNN2_DIRS = [folder]
    assert versions() == []


def test_a_probe_that_somebody_killed_is_asked_again(settings: Settings, tmp_path: Path) -> None:
    folder = make_standin(tmp_path / "one", "2.3.2", DTYPES)
    python = folder / "bin" / "python"
    killed = f"[ -e {tmp_path}/killed ] || {{ touch {tmp_path}/killed; kill -9 $$; }}"
    python.write_text(python.read_text().replace("#!/bin/sh", f"#!/bin/sh\n{killed}"))
    settings.RKNN2_DIRS = [folder]
    assert (versions(), (tmp_path / "killed").exists()) == (["2.3.2"], True)


def test_a_probe_that_dies_every_time_is_given_up(settings: Settings, tmp_path: Path) -> None:
    folder = make_empty(tmp_path / "bad")
    (folder / "bin" / "python").write_text(f"#!/bin/sh\necho >> {tmp_path}/asked; kill -9 $$\n")
    settings.RKNN2_DIRS = [folder]
    assert (versions(), (tmp_path / "asked").read_text()) == ([], "\n" * probing.ATTEMPTS)
