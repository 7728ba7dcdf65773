"""Histograms as PNG files under the names that the toolkit gives them: <layer>_weight.png, <layer>_bias.png and
<layer>_out0_nchw_<sizes>.png in dump_data_distribute [UG 7.4, names as published]. The pictures are smaller."""

import os
import re
import struct
import zlib

FOLDER = "dump_data_distribute"
WIDTH, HEIGHT = 64, 48


def draw(network, values, batch):
    """Draw what is known of every layer: its constants, and its output for the last sample, named by this build."""
    os.makedirs(FOLDER, exist_ok=True)
    taken = {node["outputs"][0]: node["inputs"][1:3] for node in network.graph["nodes"]}
    for layer, tensor in network.layers():
        stem = re.sub("[^A-Za-z0-9_.-]", "_", layer)
        constants = [network.graph["constants"].get(name) for name in taken.get(tensor, [])]
        for word, value in zip(("weight", "bias"), constants):
            if value is not None and value[0]:  # a layer of its own numbers, no scalar
                save("%s_%s" % (stem, word), value[1])
        shape, flat = values[tensor]
        sizes = [shape[0] * batch, *shape[1:]]
        save("%s_out0_nchw_%s" % (stem, "_".join(str(size) for size in sizes)), flat)


def save(stem, flat):
    with open(os.path.join(FOLDER, stem + ".png"), "wb") as file:
        file.write(png(bars(flat)))


def bars(flat):
    """Rows of grey pixels: one column for each of the steps between the smallest and the largest number."""
    low, high = min(flat), max(flat)
    counts = [0] * WIDTH
    for number in flat:
        counts[min(WIDTH - 1, int((number - low) / ((high - low) or 1) * WIDTH))] += 1
    most = max(counts)
    return [
        bytes(0 if count * HEIGHT > most * (HEIGHT - 1 - row) else 255 for count in counts)
        for row in range(HEIGHT)
    ]


def png(rows):
    """A grey picture of 8 bits: every row begins with its filter, none."""
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
