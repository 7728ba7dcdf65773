"""Uploads of strangers: whatever is in them, the answer is a code and a sentence, and nothing leaves its folder."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from similarity.dumpfile import DumpFile, layer_of, write_dump
from tests.imports import vendor
from tests.imports.conftest import Look, Read
from workers.errors import JobError
from workers.toolkits.imported.unpack import unpack
from workers.toolkits.onnxjob.jobside import Refused

Change = Callable[[Path], object]


def tar_of(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, to, 1 if kind == tarfile.REGTYPE else 0
    return info


def zip_of(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"x")
    return path


def link_in_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("golden/x.txt")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda path: tar_of(path, member("../x.txt")),
        lambda path: tar_of(path, member("/etc/x.txt")),
        lambda path: tar_of(path, member("a\\..\\..\\x")),
        lambda path: tar_of(path, member("golden/x.txt", tarfile.SYMTYPE, "/etc/passwd")),
        lambda path: tar_of(path, member("golden/x.txt", tarfile.LNKTYPE, "../y")),
        lambda path: tar_of(path, member("pipe", tarfile.FIFOTYPE)),
        lambda path: tar_of(path, member("null", tarfile.CHRTYPE)),
        lambda path: tar_of(path, member("x"), member("x")),
        lambda path: zip_of(path, "../x.txt"),
        lambda path: zip_of(path, "/etc/x.txt"),
        lambda path: zip_of(path, "C:\\x.txt"),
        link_in_zip,
    ],
)
def test_paths_that_lead_out_links_and_devices_are_refused(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    with pytest.raises(Refused) as raised:
        unpack(make(tmp_path / "upload"), "upload", tmp_path / "unpacked", 1_000_000)
    assert raised.value.code == "data:unsafe-path"


def test_no_name_of_an_archive_becomes_a_path(tmp_path: Path) -> None:
    tree = unpack(zip_of(tmp_path / "u", "a/b", "con", "-rf"), "u", tmp_path / "unpacked", 1_000_000)
    assert {path.name for path in tree.values()} == {"f000000", "f000001", "f000002"}


@pytest.mark.parametrize("pack", [vendor.zipped, vendor.tarred])
def test_an_archive_that_unpacks_to_more_than_is_allowed_is_stopped(
    tmp_path: Path, pack: Callable[[Path], Path]
) -> None:
    (tmp_path / "bomb").mkdir()
    for number in range(3):
        (tmp_path / "bomb" / f"{number}.txt").write_bytes(b"0" * 10_000_000)
    with pytest.raises(Refused) as raised:
        unpack(pack(tmp_path / "bomb"), "bomb", tmp_path / "unpacked", 25_000_000)
    written = sum(path.stat().st_size for path in (tmp_path / "unpacked").iterdir())
    assert (raised.value.code, written <= 25_000_000) == ("import:too-large", True)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    names = [str(number) for number in range(20_001)]
    with pytest.raises(Refused) as raised:
        unpack(zip_of(tmp_path / "upload", *names), "upload", tmp_path / "unpacked", 1_000_000)
    assert raised.value.code == "import:too-large"


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04" + b"\0" * 100,
        b"\x1f\x8b" + b"\0" * 100,
        gzip.compress(b"no tar at all" * 100),
        gzip.compress(b"x" * 100_000)[:50],
    ],
    ids=["zip", "gzip", "gzip without a tar", "gzip cut short"],
)
def test_a_broken_archive_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "upload").write_bytes(content)
    with pytest.raises(Refused) as raised:
        unpack(tmp_path / "upload", "upload", tmp_path / "unpacked", 1_000_000)
    assert raised.value.code == "import:damaged"


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
@pytest.mark.parametrize("pack", [vendor.zipped, vendor.tarred])
def test_a_truncated_upload_is_damaged(
    tmp_path: Path, look: Look, pack: Callable[[Path], Path], share: float
) -> None:
    whole = pack(vendor.folder_2(tmp_path / "snapshot"))
    whole.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    with pytest.raises(Refused) as raised:
        look(whole)
    assert raised.value.code == "import:damaged"


def tensor(folder: Path) -> Path:
    return folder / "simulator" / "npy" / "input.npy"


def pickled(folder: Path) -> None:
    np.save(tensor(folder), np.array([{"x": 1}], dtype=object), allow_pickle=True)


def lying(folder: Path) -> None:
    text = tensor(folder).read_bytes()
    tensor(folder).write_bytes(text.replace(b"(1, 3, 12, 9)", b"(9, 9, 99, 9)"))


def cut(folder: Path) -> None:
    tensor(folder).write_bytes(tensor(folder).read_bytes()[:-8])


def words(folder: Path) -> None:
    tensor(folder).unlink()
    (folder / "simulator" / "input.txt").write_text("1.000000\nnot a number\n")


@pytest.mark.parametrize("change", [pickled, lying, cut, words])
def test_a_tensor_that_is_none_is_named(tmp_path: Path, look: Look, change: Change) -> None:
    folder = vendor.folder_2(tmp_path / "snapshot")
    change(folder)
    with pytest.raises(Refused, match=r"simulator/(npy/)?input") as raised:
        look(vendor.zipped(folder))
    assert raised.value.code == "import:damaged"


def test_a_text_of_another_length_than_its_name_says_is_damaged(tmp_path: Path, look: Look) -> None:
    folder = vendor.folder_1(tmp_path / "snapshot", kind="tensor")
    next((folder / "fp32").glob("Conv*")).write_text("1.000000\n")
    with pytest.raises(Refused, match="fp32/Conv") as raised:
        look(vendor.zipped(folder))
    assert raised.value.code == "import:damaged"


def test_two_results_in_one_upload_are_refused(tmp_path: Path, look: Look) -> None:
    for name in ("direct", "traced"):
        vendor.folder_2(tmp_path / "both" / name)
    with pytest.raises(Refused, match="both/direct, both/traced") as raised:
        look(vendor.zipped(tmp_path / "both"))
    assert raised.value.code == "import:several"


def test_two_different_tables_of_one_scope_are_refused(tmp_path: Path, look: Look) -> None:
    (tmp_path / "tables").mkdir()
    for seed in (1, 2):
        exact, chain, _ = vendor.tensors((1, 4), seed)
        (tmp_path / "tables" / f"{seed}.txt").write_text(vendor.line_1("conv_1", "u8", exact, chain))
    with pytest.raises(Refused) as raised:
        look(vendor.zipped(tmp_path / "tables"))
    assert raised.value.code == "import:several"


def test_an_unknown_upload_is_told_what_was_looked_for_and_what_is_there(tmp_path: Path, look: Look) -> None:
    with pytest.raises(Refused, match=r"Looked for: .*entire_qnt.*Found: holiday/beach.jpg\.") as raised:
        look(zip_of(tmp_path / "u.zip", "holiday/beach.jpg"))
    assert raised.value.code == "import:unknown-format"


def test_names_that_cannot_be_printed_are_made_so(tmp_path: Path, look: Look) -> None:
    exact, chain, _ = vendor.tensors((1, 4), 1)
    (tmp_path / "t.txt").write_text(vendor.line_1("a\u202eb", "u8", exact, chain))
    assert look(tmp_path / "t.txt").scores[0].name == "a_b"


def test_a_map_that_points_elsewhere_finds_nothing_there(tmp_path: Path, look: Look) -> None:
    folder = vendor.folder_2(tmp_path / "snapshot")
    (folder / "map_name_to_file.txt").write_text("layer_name file_name\n-----\ninput ../../../etc/passwd\n")
    with DumpFile.open(look(vendor.zipped(folder)).dumps[0].file) as dump:
        assert "input" not in {layer.key for layer in dump.layers}


def test_the_child_that_unpacks_too_much_ends_with_the_same_code(tmp_path: Path, read_here: Read) -> None:
    with pytest.raises(JobError) as raised:
        read_here(vendor.tarred(vendor.folder_2(tmp_path / "snapshot")), most=1000)
    assert raised.value.code == "import:too-large"


def test_layer_files_of_a_board_become_a_board_dump(tmp_path: Path, look: Look) -> None:
    arrays = {
        "Conv__a_3": vendor.tensors((1, 4, 6, 5), 1)[0],
        "PRelu__b_2": vendor.tensors((1, 4, 6, 5), 2)[0],
    }
    (found,) = look(vendor.zipped(vendor.layer_dump(tmp_path / "dump", arrays))).dumps
    with DumpFile.open(found.file) as dump:
        assert (dump.rung, [layer.key for layer in dump.layers]) == ("board", ["Conv__a", "PRelu__b"])


def test_a_reference_names_layer_files_and_decides_their_order(tmp_path: Path, read_here: Read) -> None:
    array = vendor.tensors((1, 4, 6, 5), 1)[0]
    reference = tmp_path / "reference.safetensors"
    write_dump(reference, "quantized", [layer_of(array, "/a/Conv", "Conv", layout="NCHW")], [array])
    upload = vendor.tarred(vendor.layer_dump(tmp_path / "dump", {"Conv__a_Conv_3": array}))
    (found,) = read_here(upload, reference=reference).dumps
    with DumpFile.open(found.file) as dump:
        assert [(layer.key, layer.op, layer.layout) for layer in dump.layers] == [("/a/Conv", "Conv", "NCHW")]


def test_layer_files_beside_an_accuracy_folder_are_named_by_its_quantized_dump(
    tmp_path: Path, look: Look
) -> None:
    folder = vendor.folder_2(tmp_path / "all")
    array = np.load(folder / "simulator" / "npy" / "_body_0_Conv_output_0.npy")
    vendor.layer_dump(folder / "board", {"Conv__body.0_Conv_output_0_7": array})
    board = look(vendor.zipped(folder)).dumps[-1]
    with DumpFile.open(board.file) as dump:
        assert [layer.key for layer in dump.layers] == ["/body.0/Conv"]
