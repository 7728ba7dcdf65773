"""The fingerprint of a board, read from a tree of files that looks like one."""

import hashlib
import os
from pathlib import Path

import pytest

from boardagent import kernellog, libraryinfo, sysinfo

BUILD = b"1.7.5 (ccb93f1 build: 2023-07-18 10:56:29 base: 1131)"
ZONE = "sys/class/thermal/thermal_zone"
FILES = {
    "proc/device-tree/compatible": b"rockchip,rv1126-evb-ddr3-v13\0rockchip,rv1126\0",
    "sys/module/galcore/version": b"6.4.6.5.351518\n",
    "dev/kmsg": b"6,1,5140,-;Booting Linux\n6,339,5140900,-;Galcore version 6.4.6.5.351518\n SUBSYSTEM=x\n",
    f"{ZONE}0/type": b"cpu-thermal\n",
    f"{ZONE}0/temp": b"51250\n",
    f"{ZONE}1/type": b"npu-thermal\n",
    f"{ZONE}1/temp": b"garbage\n",
    "sys/class/devfreq/ffbc0000.npu/cur_freq": b"934000000\n",
    "proc/loadavg": b"0.52 0.1 0.1 1/90 333\n",
    "proc/uptime": b"\n",
    "proc/meminfo": b"MemTotal:  1000 kB\nMemAvailable: none\n",
    "usr/lib/librknn_runtime.so": b"\x7fELF" + b"\0" * (libraryinfo.BLOCK - 24) + BUILD + b"\0" * 500,
    "usr/lib/libGAL.so": b"\x7fELF no build string",
    "usr/lib/libc.so.6": b"not of the NPU",
    "usr/lib/npu/rknn/plugins/librknn_plugin.so": b"plugin",
    "usr/bin/rknn_server": b"rknn_server 1.7.3 (0cfd4a1 build: 2021-11-24 09:33:04)",
    "usr/lib/librknnrt.so": b"..librknnrt version: 1.5.2 (c6b7b351a@2023-08-23T15:28:22)\0",
}


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with the files of a board."""
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    monkeypatch.setenv("LAYERWISE_SYSROOT", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("compatible", "rockchip,rv1126-evb-ddr3-v13 rockchip,rv1126"),
        ("driver", "6.4.6.5.351518"),
        ("driver_line", "Galcore version 6.4.6.5.351518"),
        ("temperature_mc", 51250),
        ("load", 0.52),
        ("uptime_s", None),
        ("mem_total_kb", 1000),
        ("mem_available_kb", None),
        ("board", None),
    ],
)
def test_a_fact_is_read_where_the_kernel_puts_it(board: Path, field: str, value: object) -> None:
    assert sysinfo.fingerprint(str(board))[field] == value


def test_every_thermal_zone_is_read(board: Path) -> None:
    assert sysinfo.fingerprint(str(board))["temperatures_mc"] == [
        {"zone": "cpu-thermal", "temperature_mc": 51250},
        {"zone": "npu-thermal", "temperature_mc": None},
    ]


def test_the_files_of_the_stack_are_named_by_their_md5(board: Path) -> None:
    expected = {
        f"/{name}": hashlib.md5(data).hexdigest()
        for name, data in FILES.items()
        if name.startswith("usr/") and "libc" not in name
    }
    assert libraryinfo.md5s() == expected


def test_build_strings_are_found_even_across_the_edge_of_a_block(board: Path) -> None:
    assert libraryinfo.builds() == {
        "/usr/lib/librknn_runtime.so": BUILD.decode(),
        "/usr/bin/rknn_server": "1.7.3 (0cfd4a1 build: 2021-11-24 09:33:04)",
        "/usr/lib/librknnrt.so": "librknnrt version: 1.5.2 (c6b7b351a@2023-08-23T15:28:22)",
    }


def test_a_runtime_is_named_wherever_it_may_be_loaded_from(board: Path) -> None:
    (board / "oem/usr/lib").mkdir(parents=True)
    (board / "oem/usr/lib/librknnrt.so").write_bytes(b"elsewhere")
    assert "/oem/usr/lib/librknnrt.so" in libraryinfo.md5s()


def test_a_replaced_library_has_another_md5(board: Path) -> None:
    before = libraryinfo.md5s()["/usr/lib/libGAL.so"]
    (board / "usr/lib/libGAL.so").write_bytes(b"another one")
    assert libraryinfo.md5s()["/usr/lib/libGAL.so"] != before


def test_the_log_of_syslog_is_read_where_the_kernels_is_closed(board: Path) -> None:
    (board / "dev/kmsg").unlink()
    (board / "var/log").mkdir(parents=True)
    (board / "var/log/messages").write_text(
        "Jan 1 kernel: galcore: loading\nJan 1 kernel: Galcore version 6.4.6\n"
    )
    assert kernellog.last_line("galcore version") == "Jan 1 kernel: Galcore version 6.4.6"


def test_a_log_without_the_line_gives_nothing(board: Path) -> None:
    assert kernellog.last_line("no such driver") is None


def test_a_board_with_nothing_to_read_still_has_a_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERWISE_SYSROOT", str(tmp_path / "nothing"))
    assert sysinfo.fingerprint(str(tmp_path))["libraries"] == {}


def test_reading_a_large_library_holds_one_block(board: Path) -> None:
    path = board / "usr/lib/libOpenVX.so.1.2"
    with path.open("wb") as file:
        os.ftruncate(file.fileno(), 200 * 1024 * 1024)
    import tracemalloc

    tracemalloc.start()
    libraryinfo.md5s()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024
