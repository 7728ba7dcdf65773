"""Histograms of RKNN-Toolkit 1.x: the real job in old interpreters, and what strangers could leave in their place."""

import os
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.conversions.histograms import DrawnHistogram
from similarity.dumpfile import DumpFile
from tests.toolkits.networks import conv_relu_net, random_samples, write_job
from tests.toolkits.oldpythons import PYTHONS, make_environment
from tests.toolkits.standin.rknn.drawing import WIDTH as DRAWN_WIDTH
from tests.toolkits.standin.rknn.drawing import chunk, png
from tests.toolkits.test_rknn1 import PICTURE, U8, convert, opened, watching
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits.drawn import drawn
from workers.toolkits.jobs import run_script
from workers.toolkits.pictures import MOST_BYTES, MOST_PICTURES, NoPicture, size_of
from workers.toolkits.rknn1files.histograms import DRAWN, Drawn, places_of
from workers.toolkits.rknn1files.snapshot import Tensor

ASKED = {**U8, "histograms": True}
GOOD = png([bytes(4)] * 3)


@pytest.fixture(scope="module", params=PYTHONS)
def toolkit(request, tmp_path_factory):
    """The toolkit in each interpreter that is here."""
    return opened(make_environment(tmp_path_factory.mktemp("rknn1"), PYTHONS[request.param]))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return opened(make_environment(tmp_path_factory.mktemp("own"), PYTHONS["this"]))


@pytest.fixture(scope="module")
def made(toolkit, tmp_path_factory):
    """What was made in each interpreter when histograms were asked for, with its folder."""
    with JobFolder(tmp_path_factory.mktemp("kept"), "kept") as folder:
        yield convert(toolkit, folder, conv_relu_net(), random_samples(PICTURE), histograms=True), folder.path


def test_every_layer_has_its_histograms(made):
    """Two convolutions have weights, one of them a bias; all layers, the input too, have an output."""
    shown = Counter(str(one.shows) for one in made[0].histograms)
    assert shown == {"out": 6, "weight": 2, "bias": 1}


def test_of_the_second_build_that_a_batch_needs_nothing_is_drawn(own, folder):
    made = convert(own, folder, conv_relu_net(), random_samples(PICTURE), histograms=True, batch=3)
    assert Counter(str(one.shows) for one in made.histograms) == {"out": 6, "weight": 2, "bias": 1}


def test_histograms_have_the_keys_and_names_of_the_dumps_layers(made):
    with DumpFile.open(made[0].dumps["quantized"]) as dump:
        layers = [(layer.key, layer.name) for layer in dump.layers]
    assert list(dict.fromkeys((one.layer_key, one.layer_name) for one in made[0].histograms)) == layers


def test_within_a_layer_the_weights_come_first(made):
    first = [str(one.shows) for one in made[0].histograms if one.layer_name.startswith("Conv_Conv_1")]
    assert first == ["weight", "bias", "out"]


def test_their_sizes_are_the_pictures_own(made):
    assert {(one.width, one.height) for one in made[0].histograms} == {(DRAWN_WIDTH, 48)}


def test_nothing_is_left_of_the_toolkits_own_folder(made):
    assert not (made[1] / DRAWN).exists()


def test_unasked_the_toolkit_draws_nothing(toolkit, folder):
    assert convert(toolkit, folder, conv_relu_net(), random_samples(PICTURE)).histograms == ()


def test_a_toolkit_that_draws_none_though_asked_is_no_failure(collected):
    assert collected(shutil.rmtree) == ()


@pytest.fixture(scope="module")
def converted(own, tmp_path_factory):
    """The folder as our last step finds it."""
    with JobFolder(tmp_path_factory.mktemp("converted"), "converted") as folder:
        write_job(folder, conv_relu_net(), random_samples(PICTURE), **ASKED)
        run_script("rknn1_prepare_job", folder, **watching())
        own.carry_out(folder, watching())
        yield folder.path


@pytest.fixture
def collected(converted, folder) -> Callable[[Callable[[Path], object]], tuple[DrawnHistogram, ...]]:
    """Do our last step after something was done to the toolkit's folder of histograms."""

    def collect(change: Callable[[Path], object]) -> tuple[DrawnHistogram, ...]:
        shutil.copytree(converted, folder.path, dirs_exist_ok=True)
        change(folder.path / DRAWN)
        result = run_script("rknn1_collect_job", folder, **watching())
        return drawn(folder, result, folder.path / "converted.safetensors")

    return collect


def only(place: Path, **files: bytes) -> None:
    """Nothing but these files in the folder, `<name>.png` each."""
    shutil.rmtree(place)
    place.mkdir()
    for name, content in files.items():
        (place / f"{name}.png").write_bytes(content)


def test_what_no_layer_is_called_keeps_its_own_name(collected):
    found = collected(lambda place: only(place, fused_away_9_weight=GOOD))
    assert [(one.layer_key, one.layer_name, str(one.shows)) for one in found] == [
        ("", "fused_away_9", "weight")
    ]


def test_a_name_that_tells_nothing_is_ignored(collected):
    assert collected(lambda place: only(place, logo=GOOD, x_weight_old=GOOD)) == ()


HEADER = struct.pack(">IIBBBBB", 4, 3, 8, 0, 0, 0, 0)
START, END = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")
NO_PICTURES = {
    "text": b"<svg onload=alert(1)>" + GOOD,
    "nothing": b"",
    "the signature alone": START,
    "cut short": GOOD[:-20],
    "without pixels": START + chunk(b"IHDR", HEADER) + END,
    "a wrong checksum": GOOD[:20] + b"\xff" + GOOD[21:],
    "something behind it": GOOD + b"<script>",
    "a length beyond its end": START + b"\xff\xff\xff\xff" + b"IHDR" + HEADER,
    "a header of another length": START + chunk(b"IHDR", HEADER[:-1]) + chunk(b"IDAT", b"") + END,
    "two headers": START + 2 * chunk(b"IHDR", HEADER) + chunk(b"IDAT", b"") + END,
    "no width": START + chunk(b"IHDR", bytes(4) + HEADER[4:]) + chunk(b"IDAT", b"") + END,
    "a huge picture": START
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 1 << 20, 1 << 20, 8, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(bytes(1000)))
    + END,
    "an unknown kind": START
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 3, 3, 5, 0, 0, 0))
    + chunk(b"IDAT", b"")
    + END,
}


@pytest.mark.parametrize("content", NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_no_picture_has_no_size(content):
    with pytest.raises(NoPicture):
        size_of(content)


def test_a_picture_tells_its_size():
    assert size_of(GOOD) == (4, 3)


def test_files_that_are_no_pictures_are_left_out_and_the_rest_stays(collected):
    files = {f"a{number}_weight": content for number, content in enumerate(NO_PICTURES.values())}
    found = collected(lambda place: only(place, good_weight=GOOD, **files))
    assert [one.layer_name for one in found] == ["good"]


def test_a_file_that_is_too_long_is_left_out(collected):
    long = START + chunk(b"IHDR", HEADER) + chunk(b"IDAT", bytes(MOST_BYTES)) + END
    assert collected(lambda place: only(place, a_weight=long)) == ()


def litter(place: Path) -> None:
    """Links, a folder, a pipe: all but ordinary files, under names that would do."""
    only(place, good_weight=GOOD)
    secret = place.parent / "secret"
    secret.write_bytes(GOOD)
    (place / "soft_weight.png").symlink_to(secret)
    os.link(secret, place / "hard_weight.png")
    (place / "folder_weight.png").mkdir()
    os.mkfifo(place / "pipe_weight.png")


def test_only_ordinary_files_are_taken(collected):
    assert [one.layer_name for one in collected(litter)] == ["good"]


def test_a_link_in_the_folders_place_is_not_followed(collected, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a_weight.png").write_bytes(GOOD)

    def replace(place: Path) -> None:
        shutil.rmtree(place)
        place.symlink_to(elsewhere)

    assert (collected(replace), (elsewhere / "a_weight.png").exists()) == ((), True)


def test_of_thousands_the_first_layers_are_kept(collected, folder):
    def many(place: Path) -> None:
        for number in range(MOST_PICTURES + 10):
            (place / f"stray{number}_weight.png").write_bytes(GOOD)

    found = collected(many)
    kept = list(folder.path.glob("histogram-*"))
    assert (len(found), len(kept), found[0].layer_key) == (MOST_PICTURES, MOST_PICTURES, "x")


def tensors(*layers: str) -> list[Tensor]:
    return [Tensor(f"{name}_out0_nhwc_1", name, 0, "nhwc", (1,)) for name in layers]


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["Conv_a_7", "Conv_b_6"], [0, 1]),
        (["Conv_a_17", "Conv_b_16"], [0, 1]),
        (["Conv_a", "Conv_b"], [0, 1]),
        (["Conv_a_7", "Conv_c_5"], [0, None]),
        (["Conv_a", "Conv_b", "Conv_a_3"], [0, 1, None]),
    ],
    ids=["the dump's ids", "other ids", "no ids", "one of no layer", "a number that is no id"],
)
def test_a_file_finds_its_layer_by_name(names, places):
    files = [Drawn(Path(), name, "out", 0) for name in names]
    assert places_of(files, tensors("Conv_a_7", "Conv_b_6")) == places


def test_a_name_that_two_layers_share_without_their_ids_is_neithers():
    files = [Drawn(Path(), "Conv_a_3", "out", 0)]
    assert places_of(files, tensors("Conv_a_7", "Conv_a_6")) == [None]


ENTRY = {"file": "histogram-0001.png", "layer": 0, "name": "x", "shows": "out", "port": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../secret"},
        {"file": "missing.png"},
        {"file": "text.png"},
        {"layer": 99},
        {"layer": -1},
        {"layer": "0"},
        {"layer": True},
        {"shows": "everything"},
        {"port": -1},
        {"port": "0"},
        {"layer": None, "name": "\x00"},
        {"layer": None, "name": ""},
        {"layer": None, "name": "x" * 301},
    ],
)
def test_a_histogram_that_the_job_tells_wrong_is_a_bad_result(made, folder, change):
    (folder.path / "histogram-0001.png").write_bytes(GOOD)
    (folder.path / "text.png").write_bytes(b"text")
    with pytest.raises(JobError) as caught:
        drawn(folder, {"histograms": [{**ENTRY, **change}]}, made[0].dumps["converted"])
    assert caught.value.code == "toolkit:bad-result"


@pytest.mark.parametrize("announced", [{}, [ENTRY] * (MOST_PICTURES + 1), [None], ["x"]])
def test_a_list_that_is_none_is_a_bad_result(made, folder, announced):
    with pytest.raises(JobError) as caught:
        drawn(folder, {"histograms": announced}, made[0].dumps["converted"])
    assert caught.value.code == "toolkit:bad-result"
