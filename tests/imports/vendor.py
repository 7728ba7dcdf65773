"""Output folders as the vendor's tools leave them, made by scripts of our own: names, tables and digits as documented.

RKNN-Toolkit 1.x [UG 4.3.3]: <layer>_<id>_out<port>_nhwc_<sides>.npy or .tensor, order.txt, tables separated by tabs,
six decimals. RKNN-Toolkit2: golden/ and simulator/ as text and npy/, map_name_to_file.txt, one table, five decimals.
The tables' numbers are computed here from the very tensors that are written: in float64, but toolkit2's distances in
float32, as the printed ones show (1172.83765 and 995.39069 are multiples of a float32's step).
"""

import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# layer with its id -> its sides, NHWC
LAYERS_1 = {
    "inputs_15": (1, 12, 9, 3),
    "Conv__body.0_Conv_14": (1, 12, 9, 8),
    "PRelu__body.1_PRelu_13": (1, 12, 9, 8),
    "DepthToSpace__upsampler_DepthToSpace_2": (1, 24, 18, 2),
    "pixel_shuffle_to_permute_1_at_120_13_13": (1, 3, 2, 2, 12, 9),
}
# tensor -> operator, shape
LAYERS_2 = {
    "input": ("Input", (1, 3, 12, 9)),
    "/body.0/Conv_output_0": ("Conv", (1, 8, 12, 9)),
    "/fused/Conv_output_0": ("Conv", (1, 8, 12, 9)),
    "name with blanks": ("PRelu", (1, 8, 12, 9)),
    "output_int8": ("Add", (1, 2, 24, 18)),
    "output": ("exDataConvert", (1, 2, 24, 18)),
}
FUSED = "/fused/Conv_output_0"
LOUD = "output_int8"  # so large that columns run together


def tensors(shape: tuple[int, ...], seed: int, scale: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """A float tensor and two noisy ones, as a quantized chain and a layer alone would give."""
    random = np.random.default_rng(seed)
    exact = (random.normal(size=shape) * scale).astype(np.float32)
    noise = [(exact + random.normal(size=shape) * scale * part).astype(np.float32) for part in (0.03, 0.01)]
    return exact, noise[0], noise[1]


def cosine(a: Floats, b: Floats) -> float:
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def distance(a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(a.astype(np.float64) - b.astype(np.float64)))


def distance_of_directions(a: Floats, b: Floats) -> float:
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return float(np.linalg.norm(x / np.linalg.norm(x) - y / np.linalg.norm(y)))


def write_text(path: Path, array: NDArray[Any]) -> None:
    """One "%f" a line."""
    path.write_text("".join(f"{value:f}\n" for value in array.ravel().tolist()))


def folder_1(root: Path, kind: str = "npy", with_npu: bool = False, with_dtype: bool = True) -> Path:
    """What accuracy_analysis of 1.x leaves."""
    folders = ["fp32", "entire_qnt", "individual_qnt", *(["qnt_npu_dump"] if with_npu else [])]
    for name in folders:
        (root / name).mkdir(parents=True)
    order, entire, single = [], [], []
    for seed, (layer, sides) in enumerate(LAYERS_1.items()):
        stem = f"{layer}_out0_nhwc_{'_'.join(map(str, sides))}"
        exact, chain, alone = tensors(sides, seed)
        for folder, array in zip(folders, (exact, chain, alone, alone), strict=False):
            if kind == "npy":
                np.save(root / folder / f"{stem}.npy", array)
            else:
                write_text(root / folder / f"{stem}.tensor", array)
        order.append(f"{stem}.npy")
        entire.append(line_1(f"{stem}.npy", "u8" if seed == 0 else "None", exact, chain, with_dtype))
        if seed:
            single.append(line_1(layer, "None", exact, alone, with_dtype))
    order.append("attach_DepthToSpace__upsampler_DepthToSpace_2_out0_0_out0_nhwc_1_24_18_2.npy")
    (root / "fp32" / "order.txt").write_text("\n".join(order) + "\n")
    (root / "entire_qnt_error_analysis.txt").write_text("".join(entire))
    (root / "individual_qnt_error_analysis.txt").write_text("".join(single))
    if with_npu:
        (root / "individual_qnt_error_analysis_on_npu.txt").write_text("".join(single))
    return root


def line_1(name: str, dtype: str, exact: Floats, other: Floats, with_dtype: bool = True) -> str:
    """A row of 1.x; up to 1.7.1 it has no type and two more numbers."""
    numbers = (
        f"eculidean_norm={distance_of_directions(exact, other):.6f}\tcosine_norm={cosine(exact, other):.6f}"
    )
    if with_dtype:
        return f"{name:<60} \t{dtype}\t{numbers}\n"
    return (
        f"{name:<60} \t{numbers}\teculidean={distance(exact, other):.6f}\tcosine={cosine(exact, other):.6f}\n"
    )


def folder_2(root: Path, with_arrays: bool = True, with_map: bool = True) -> Path:
    """What accuracy_analysis of toolkit2 leaves."""
    for folder in ("golden", "simulator"):
        (root / folder / "npy").mkdir(parents=True)
    rows, names = [], []
    for seed, (name, (op, shape)) in enumerate(LAYERS_2.items()):
        exact, chain, alone = tensors(shape, seed, 3000.0 if name == LOUD else 1.0)
        stem = mangled(name)
        for folder, array in (("golden", exact), ("simulator", chain)):
            if with_arrays:
                np.save(root / folder / "npy" / f"{stem}.npy", array)
            write_text(root / folder / f"{stem}.txt", array)
        names.append((name, f"{stem}.txt"))
        rows.append((f"[{op}] {name}", "" if name == FUSED else numbers_2(exact, chain, alone)))
    (root / "error_analysis.txt").write_text(table_2(rows))
    if with_map:
        lines = [f"{name:<40} {file:<40}" for name, file in [("layer_name", "file_name"), *names]]
        (root / "map_name_to_file.txt").write_text("\n".join([lines[0], "-" * 80, *lines[1:]]) + "\n")
    return root


def mangled(name: str) -> str:
    return "".join(mark if mark.isalnum() or mark in "_-" else "_" for mark in name)


def numbers_2(exact: Floats, chain: Floats, alone: Floats) -> str:
    """Two pairs of columns; a long distance leaves no blank before the next cosine."""
    first = f"{cosine(exact, chain):.5f} | {np.linalg.norm(exact - chain):<10.5f}"
    return f"{first}{cosine(exact, alone):.5f} | {np.linalg.norm(exact - alone):<14.5f}"


def table_2(rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows) + 5
    heading = [
        "# simulator_error: calculate the output error of each layer of the simulator.",
        "",
        f"{'layer_name':<{width}}simulator_error",
        f"{'':<{width}}   entire              single",
        f"{'':<{width}}cos      euc        cos      euc",
        "-" * (width + 40),
    ]
    return "\n".join([*heading, *(f"{name:<{width}}{numbers}" for name, numbers in rows)]) + "\n"


def layer_dump(root: Path, arrays: Mapping[str, Floats]) -> Path:
    """Layer files of NN_LAYER_DUMP: planar text, and the map of node ids; arrays are NCHW."""
    root.mkdir(parents=True)
    names = ["NodeID\tLayerName"]
    for number, (name, array) in enumerate(arrays.items()):
        _, d, h, w = array.shape
        write_text(root / f"NodeID_{number}_conv_w_{w}_h_{h}_d_{d}_batchID_0_out_0.txt", array)
        names.append(f" {number}\t{name}")
    (root / "NodeID_To_LayerName.txt").write_text("\n".join([*names, " unknow node!", ""]))
    return root


def zipped(folder: Path, name: str = "upload.zip") -> Path:
    """The folder as a zip, as a user would pack it: with the folder's own name at the front."""
    target = folder.parent / name
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
    return target


def tarred(folder: Path, name: str = "upload.tar.gz") -> Path:
    target = folder.parent / name
    with tarfile.open(target, "w:gz") as archive:
        archive.add(folder, folder.name)
    return target
