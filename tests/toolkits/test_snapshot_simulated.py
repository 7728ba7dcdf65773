"""The simulation's tensors are narrowed while the vendor's tool writes on: every bit comes back, or they stay."""

import numpy as np
import pytest

from similarity.dumpfile import DumpFile, layer_of, write_dump
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.rknn2job.simulated import Simulated
from workers.toolkits.rknn2job.snapshot import Scale

GRID = Scale(0.037, -5, -128.0, 127.0)
OTHER = Scale(0.1, 0, -128.0, 127.0)
SHAPE = (1, 3, 320, 300)  # more than one block


def on_grid(how=GRID, seed=0, shape=SHAPE):
    """Float32 values as the toolkit computes them."""
    steps = np.random.default_rng(seed).integers(how.qmin, how.qmax + 1, shape)
    return (steps - how.zero_point).astype(np.float32) * np.float32(how.scale)


def halves():
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float16).astype(np.float32)


def anything():
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


def with_one(values, odd):
    values = values.copy()
    values[-1, -1, -1, -1] = odd
    return values


class Folder:
    """A snapshot that a tool writes, and the reader beside it."""

    def __init__(self, place, scales=None):
        self.simulated = Simulated(place, {"conv": GRID} if scales is None else scales)
        self.simulated.folder.mkdir(parents=True)

    def path(self, stem="conv"):
        return self.simulated.folder / f"{stem}.npy"

    def save(self, values, stem="conv"):
        np.save(self.path(stem), values)

    def look_twice(self):
        self.simulated.look()
        self.simulated.look()

    def outcome(self, how=GRID, stem="conv"):
        """The stored type and the values, as the dump will have them."""
        (code,) = self.simulated.settle({self.path(stem): how})
        values = self.simulated.read(self.path(stem))
        target = self.simulated.folder / "dump"
        scale = {} if how is None else vars(how)
        write_dump(target, "quantized", [layer_of(values, "a", **scale)], iter([values]), dtypes=[code])
        with DumpFile.open(target) as dump:
            return code, dump.values("a").copy()


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def same_bits(one, other):
    return one.shape == other.shape and one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("values", "how", "code"),
    [
        (on_grid(), GRID, "I8"),
        (on_grid(Scale(0.02, 128, 0.0, 255.0)), Scale(0.02, 128, 0.0, 255.0), "U8"),
        (on_grid(Scale(0.0001, 0, -32768.0, 32767.0)), Scale(0.0001, 0, -32768.0, 32767.0), "I16"),
        (halves(), None, "F16"),
        (halves(), GRID, "F16"),
        (anything(), GRID, "F32"),
        (anything(), None, "F32"),
        (on_grid(), OTHER, "F32"),
        (with_one(on_grid(), -0.0), GRID, "F32"),
        (with_one(on_grid(), np.nan), GRID, "F32"),
        (with_one(on_grid(), np.inf), GRID, "F32"),
        (with_one(halves(), 1e-9), None, "F32"),
        (with_one(on_grid(), np.float32(133) * np.float32(0.037)), GRID, "F32"),  # step 128
        (np.zeros((0, 3), np.float32), GRID, "I8"),
        (np.float32(0.25), None, "F16"),
    ],
)
@pytest.mark.parametrize("is_early", [True, False], ids=["while it is written", "afterwards"])
def test_every_bit_comes_back_from_the_narrowest_type(tmp_path, values, how, code, is_early):
    folder = Folder(tmp_path, {"conv": how} if how else {})
    folder.save(values)
    if is_early:
        folder.look_twice()
    found, read = folder.outcome(how)
    assert (found, same_bits(read, np.asarray(values))) == (code, True)


def test_what_was_narrowed_takes_no_room_where_it_lay(folder):
    folder.save(on_grid())
    folder.look_twice()
    assert folder.path().stat().st_size == 0


def test_what_was_narrowed_is_deleted_once_it_was_read(folder, tmp_path):
    folder.save(on_grid())
    folder.look_twice()
    folder.outcome()
    assert not list(tmp_path.glob("narrow/*"))


def test_a_file_that_has_just_changed_waits_for_the_next_look(folder):
    folder.save(on_grid())
    folder.simulated.look()
    assert folder.path().stat().st_size > on_grid().nbytes


def test_a_file_that_never_completes_is_damaged(folder):
    folder.save(on_grid())
    whole = folder.path().read_bytes()
    folder.path().write_bytes(whole[:-4])
    folder.look_twice()
    folder.simulated.settle({folder.path(): GRID})
    with pytest.raises(Refused, match=r"toolkit:bad-result.*damaged"):
        folder.simulated.read(folder.path())


@pytest.mark.parametrize("size", [0, 1, 40, 128])
def test_a_file_that_has_hardly_begun_is_left_alone(folder, size):
    folder.save(on_grid())
    begun = folder.path().read_bytes()[:size]
    folder.path().write_bytes(begun)
    folder.look_twice()
    assert folder.path().read_bytes() == begun


@pytest.mark.parametrize("newer", [on_grid(seed=1), anything()], ids=["on the grid", "not on it"])
@pytest.mark.parametrize("is_seen", [True, False], ids=["while the tool works", "at its end"])
def test_a_file_that_was_written_again_counts_as_it_is_now(folder, newer, is_seen):
    folder.save(on_grid())
    folder.look_twice()
    folder.save(newer)
    if is_seen:
        folder.look_twice()
    assert same_bits(folder.outcome()[1], newer)


def test_what_is_written_on_to_a_file_that_was_taken_is_damage(folder):
    folder.save(on_grid())
    with folder.path().open("r+b") as still_open:
        folder.look_twice()
        still_open.seek(4096)
        still_open.write(b"more")
    folder.simulated.settle({folder.path(): GRID})
    with pytest.raises(Refused, match=r"toolkit:bad-result.*damaged"):
        folder.simulated.read(folder.path())


def test_a_file_that_was_taken_and_deleted_is_missing(folder):
    folder.save(on_grid())
    folder.look_twice()
    folder.path().unlink()
    folder.simulated.settle({folder.path(): GRID})
    with pytest.raises(Refused, match=r"toolkit:bad-result"):
        folder.simulated.read(folder.path())


def test_a_wrong_guess_of_the_scale_costs_nothing(tmp_path):
    """Values on both grids, and names of which the file name does not tell whose it is."""
    folder = Folder(tmp_path, {"a/b": OTHER, "a.b": GRID})
    zeros = np.zeros(SHAPE, np.float32)
    folder.save(zeros, "a_b")
    folder.look_twice()
    code, read = folder.outcome(GRID, "a_b")
    assert (code, same_bits(read, zeros)) == ("I8", True)


def test_a_tensor_that_has_no_scale_after_all_has_none(tmp_path):
    folder = Folder(tmp_path, {"a/b": OTHER})
    folder.save(on_grid(OTHER), "a_b")
    folder.look_twice()
    code, read = folder.outcome(None, "a_b")
    assert (code, same_bits(read, on_grid(OTHER))) == ("F32", True)


def test_a_full_disk_is_told_at_the_end(folder, tmp_path):
    (tmp_path / "narrow").write_text("no folder can be made here")
    folder.save(on_grid())
    folder.look_twice()
    with pytest.raises(OSError, match="narrow"):
        folder.simulated.settle({folder.path(): GRID})


def test_the_folder_may_come_later(tmp_path):
    simulated = Simulated(tmp_path / "snapshot", {"conv": GRID})
    simulated.look()
    simulated.folder.mkdir(parents=True)
    np.save(simulated.folder / "conv.npy", on_grid())
    simulated.look()
    simulated.look()
    assert (simulated.folder / "conv.npy").stat().st_size == 0
