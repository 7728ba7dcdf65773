"""What the real RKNN-Toolkit2 writes into its job's folder, and what becomes of it: bits, room on disk, names."""

import contextlib
import json
import subprocess
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from onnx import helper

from similarity.dumpfile import DumpFile
from tests.toolkits.networks import constant, ignore, network, never, random_samples, write_job
from workers.errors import JobError
from workers.jobfolder import JobFolder
from workers.toolkits import rknn2
from workers.toolkits.jobs import FEW_THREADS, ROOT
from workers.toolkits.vendor.accuracy_table import read_accuracy_table

TOOLKIT = next(iter(rknn2.here()), None)
pytestmark = pytest.mark.skipif(TOOLKIT is None, reason="RKNN-Toolkit2 is not installed (make toolkit-rknn2)")
PLATFORM = "rk3588"
RECIPE = {
    "toolkit": "rknn2",
    "platform": PLATFORM,
    "dtype": "w8a8",
    "algorithm": "normal",
    "optimization_level": 3,
    "inputs": {},
}
PICTURE = {"x": (1, 3, 128, 128)}
LAYERS, CHANNELS = 8, 24  # 1.6 MB a layer
ODD = ["/model/conv.1/Conv_output_0", "a b:0;%", "c2+x=(1)", "y"]


def chain():
    """Convolutions, one after the other."""
    names = ["x", *(f"c{place}" for place in range(LAYERS))]
    widths = [3, *[CHANNELS] * LAYERS]
    nodes = [
        helper.make_node(
            "Conv", [names[place], f"w{place}"], [names[place + 1]], f"Conv_{place}", pads=[1] * 4
        )
        for place in range(LAYERS)
    ]
    weights = [constant(f"w{place}", (CHANNELS, widths[place], 3, 3), place, 0.1) for place in range(LAYERS)]
    return network(nodes, inputs=PICTURE, outputs=[names[-1]], initializers=weights)


def oddly_named(names=tuple(ODD)):
    """Convolutions with and without activations, whose tensors have these names."""
    nodes = [
        helper.make_node("Conv", ["x", "w0"], [names[0]], "Conv_0", pads=[1] * 4),
        helper.make_node("Relu", [names[0]], [names[1]], "Relu_1"),
        helper.make_node("Sigmoid", [names[1]], [names[2]], "Sigmoid_2"),
        helper.make_node("Conv", [names[2], "w1"], [names[3]], "Conv_3"),
    ]
    weights = [constant("w0", (8, 3, 3, 3), 1), constant("w1", (4, 8, 1, 1), 2)]
    return network(nodes, inputs=PICTURE, outputs=[names[3]], initializers=weights)


def convert(folder, model, **recipe):
    write_job(folder, model, random_samples(PICTURE), **RECIPE | recipe)
    return TOOLKIT.convert(folder, ignore, never)


class Conversion:
    """One conversion, with a look at its folder all the while, and then the vendor's calls alone on the same files."""

    def __init__(self, folder, alone, model):
        self.path, self.alone = Path(folder.path), alone
        self.emptied_meanwhile = False
        ended = Event()
        watching = Thread(target=self._watch, args=(ended,))
        watching.start()
        try:
            self.made = convert(folder, model)
        finally:
            ended.set()
            watching.join()
        self._vendor_alone()

    def _watch(self, ended):
        while not ended.wait(0.02):
            with contextlib.suppress(FileNotFoundError):  # it has just gone
                files = self.path.glob("snapshot/simulator/npy/*.npy")
                emptied = any(self._is_emptied(file) for file in files)
                still = not (self.path / "snapshot" / "error_analysis.txt").exists()
                self.emptied_meanwhile = self.emptied_meanwhile or (emptied and still)

    def _is_emptied(self, file):
        """Something narrower is kept in its place; one that the toolkit has just begun is empty too."""
        return file.stat().st_size == 0 and (self.path / "snapshot" / "narrow" / file.name).exists()

    def _vendor_alone(self):
        data = [self.path / "dataset" / name for name in ("dataset.txt", "evaluation-0.npy")]
        module = "tests.bench.toolkits.vendor_alone"
        argv = [str(TOOLKIT.python), "-P", "-s", "-m", module, str(self.path), *map(str, data), PLATFORM]
        env = {**FEW_THREADS, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(self.alone)}
        subprocess.run(argv, cwd=self.alone, env=env, check=True, capture_output=True)

    def of_vendor(self, rung_folder, stem):
        return np.load(self.alone / "snapshot" / rung_folder / "npy" / f"{stem}.npy")

    def dumped(self, rung):
        """The tensors by the toolkit's names, as float32."""
        with DumpFile.open(self.made.dumps[rung]) as dump:
            return {layer.name: dump.values(layer.key).copy() for layer in dump.layers}


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    with JobFolder(tmp_path_factory.mktemp("jobs"), "large") as folder:
        yield Conversion(folder, tmp_path_factory.mktemp("alone"), chain())


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    with JobFolder(tmp_path_factory.mktemp("jobs"), "odd") as folder:
        yield Conversion(folder, tmp_path_factory.mktemp("alone"), oddly_named())


def differing(conversion, rung, folder):
    """Names of the layers whose bits are not those of the vendor's own file."""
    files = {"a b:0;%": "a b_0_%", ODD[0]: "_model_conv_1_Conv_output_0"}
    return [
        name
        for name, values in conversion.dumped(rung).items()
        if values.tobytes() != conversion.of_vendor(folder, files.get(name, name)).tobytes()
    ]


@pytest.mark.parametrize(("rung", "folder"), [("converted", "golden"), ("quantized", "simulator")])
@pytest.mark.parametrize("kind", ["large", "odd"])
def test_the_dumps_hold_every_bit_that_the_toolkit_wrote(request, kind, rung, folder):
    """Scores are computed from these: the same bits are the same scores, whatever type they are stored in."""
    assert differing(request.getfixturevalue(kind), rung, folder) == []


def test_the_toolkits_table_is_the_same_without_its_files(large):
    """It was printed while they were taken away; alone it kept them."""
    with_us = json.loads(large.made.build_facts.read_text())["accuracy"]
    alone = read_accuracy_table((large.alone / "snapshot" / "error_analysis.txt").read_text())
    assert [(row["name"], row["printed"]) for row in with_us] == [
        (row.name, dict(row.printed)) for row in alone
    ]


def test_tensors_of_the_simulation_are_narrowed_while_the_toolkit_writes(large):
    assert large.emptied_meanwhile


def test_the_quantized_dump_holds_bytes_where_the_toolkit_wrote_floats(large):
    sizes = {rung: path.stat().st_size for rung, path in large.made.dumps.items()}
    assert sizes["quantized"] < 0.4 * sizes["converted"]


@pytest.mark.parametrize("pattern", ["check*.onnx", "*.model", "*.data", "snapshot"])
def test_what_the_toolkit_writes_for_itself_is_gone(large, pattern):
    assert not list(large.path.glob(pattern))


def test_layers_with_blanks_in_their_names_are_in_the_dumps(odd):
    assert set(ODD) <= set(odd.dumped("quantized"))


def test_two_tensors_of_one_file_name_are_refused_by_their_names(folder):
    """The toolkit writes one over the other."""
    with pytest.raises(JobError) as caught:
        convert(folder, oddly_named(("a/b", "r", "a.b", "y")))
    assert (caught.value.code, "'a/b', 'a.b'" in caught.value.detail) == ("toolkit:bad-result", True)


def test_a_snapshot_beyond_the_limit_is_a_full_disk(folder, settings):
    settings.TOOLKIT_FILE_MB = 20
    with pytest.raises(JobError) as caught:
        convert(folder, chain())
    assert caught.value.code == "toolkit:disk-full"
