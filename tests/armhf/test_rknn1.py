"""The ctypes binding of Rockchip's library on 32-bit ARM: the same numbers as on x86_64, a code for each failure."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from boardagent.npu import abi
from tests.armhf.board import emulated_board
from tests.armhf.conftest import soon
from tests.armhf.cross import compile_for_boards
from tests.armhf.recipes import KINDS
from tests.armhf.rknn1 import ON_BOARD, SHARED, STANDIN, Here, There
from workers.link.session import BoardSession

SIZES = """
#include <stddef.h>
#include "{source}"
int main(void) {{
    printf("%zu %zu %zu %zu %zu %zu %zu\\n", sizeof(rknn_context), sizeof(rknn_tensor_attr), sizeof(rknn_perf_detail),
           offsetof(rknn_perf_detail, data_len), sizeof(rknn_sdk_version), sizeof(rknn_input), sizeof(rknn_output));
    return 0;
}}
"""


@pytest.fixture(scope="module")
def library(machine: None, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The stand-in as the board's SDK builds it."""
    target = tmp_path_factory.mktemp("cross") / "librknn_api.so"
    return compile_for_boards(STANDIN, target, *SHARED, "-lm").read_bytes()


def with_library(kind: str, library: bytes) -> Iterator[There]:
    """A board with this library and the agent on it."""
    with (
        emulated_board(KINDS[kind], furnish=lambda board: board.write(ON_BOARD, library)) as board,
        board.connect() as link,
    ):
        yield There(board, "/userdata/" + BoardSession(link, "/userdata").deploy())


@pytest.fixture(scope="module", params=["python3.11-dropbear", "python3.9-busybox"])
def there(request: pytest.FixtureRequest, library: bytes) -> Iterator[There]:
    """A board of each Python."""
    yield from with_library(request.param, library)


@pytest.fixture(scope="module")
def old(library: bytes) -> Iterator[There]:
    """The board with the older Python."""
    yield from with_library("python3.9-busybox", library)


@pytest.fixture
def broken(machine: None) -> Iterator[There]:
    """A board whose library is none."""
    yield from with_library("python3.9-busybox", b"\x7fELF nothing")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Here:
    """This machine."""
    return Here(tmp_path_factory.mktemp("here"))


def test_the_compilers_structs_have_the_sizes_of_the_table(there: There, tmp_path: Path) -> None:
    source = tmp_path / "sizes.c"
    source.write_text(SIZES.format(source=STANDIN))
    there.board.write(
        "userdata/sizes", compile_for_boards(source, tmp_path / "sizes", "-lm").read_bytes(), mode=0o755
    )
    with there.board.connect() as link:
        told = link.run(["/userdata/sizes"], deadline=soon()).stdout_tail.split()
    table = [
        abi.LAYOUT_1[kind][4]
        for kind in (abi.TensorAttr1, abi.PerfDetail, abi.SdkVersion, abi.Input, abi.Output)
    ]
    (attr, _), (perf, offsets), (version, _), (taken, _), (given, _) = table
    assert [int(size) for size in told] == [4, attr, perf, offsets[1], version, taken, given]


def test_the_outputs_are_bit_for_bit_those_of_x86_64(there: There, here: Here) -> None:
    outputs = [place.child("plain", "h 6").out / "outputs.safetensors" for place in (there, here)]
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_every_iteration_has_the_runtimes_own_time(old: There) -> None:
    assert len(old.child("plain", "h 6", iterations=4).report["iterations_us"]) == 4


def test_the_layers_and_their_units_are_those_of_x86_64(there: There, here: Here) -> None:
    rows = [place.child("timed", "h 6").report["layers"] for place in (there, here)]
    kept = [[(row["key"], row["op"], row["target"]) for row in found] for found in rows]
    assert kept[0] == kept[1] != []


def test_the_dumped_layers_are_those_of_x86_64(there: There, here: Here) -> None:
    folders = [place.child("dump", "h 6").out for place in (there, here)]
    layers = [{path.name: path.read_text() for path in out.glob("NodeID_*")} for out in folders]
    assert layers[0] == layers[1] != {}


def test_what_the_library_prints_on_stdout_stays_out_of_the_report(old: There) -> None:
    child = old.child("plain", "fault chatty", iterations=1)
    assert (len(child.report["iterations_us"]), len(child.log) > 1_000_000) == (1, True)


FAULTS = {
    "init:-1": "board:npu-failed",
    "init:-3": "board:npu-unavailable",
    "init:-4": "board:no-memory",
    "init:-6": "board:rejected-artifact",
    "init:-13": "board:rejected-artifact",
    "inputs:-8": "board:npu-failed",
    "query:-5": "board:npu-failed",
    "run:-2": "board:npu-hung",
    "outputs:-9": "board:npu-failed",
    "attr": "board:npu-failed",
    "short-output": "board:npu-failed",
    "hang": "board:npu-hung",
    "hang-init": "board:npu-hung",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_of_the_library_has_its_code(old: There, fault: str) -> None:
    assert old.child("plain", f"fault {fault}", deadline_s=1).code == FAULTS[fault]


@pytest.mark.parametrize("fault", ["exit", "segv", "abort"])
def test_a_library_that_ends_the_process_leaves_no_report(old: There, fault: str) -> None:
    child = old.child("plain", f"fault {fault}")
    assert (child.status in (None, 1, 134, 139), child.report) == (True, {})


def test_a_library_that_is_none_is_unavailable(broken: There) -> None:
    assert broken.child("plain", "h 6").code == "board:npu-unavailable"
