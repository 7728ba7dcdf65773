"""The stand-in's files of hybrid quantization: <name>.json, .data and .quantization.cfg [UG 4.5.2, 7.11]."""

import json
import re

from rknn.network import Network, quoted, scale_of

METHODS = {
    "asymmetric_affine-u8": "u8",
    "dynamic_fixed_point-i8": "i8",
    "dynamic_fixed_point-i16": "i16",
    "float32": None,
}
COMMENT = (
    "# add layer name and corresponding quantized_dtype to customized_quantize_layers, e.g conv2_3: float32"
)


class Refused(Exception):
    """Step 2 does not take the configuration."""


def write(network, how):
    """What step 1 leaves in the working folder; it is called like the graph."""
    graph = network.graph
    with open(graph["name"] + ".json", "w") as file:
        json.dump({key: graph[key] for key in ("name", "nodes", "inputs", "outputs")}, file)
    with open(graph["name"] + ".data", "w") as file:
        json.dump({"constants": graph["constants"], "ranges": network.ranges}, file)
    with open(graph["name"] + ".quantization.cfg", "w", encoding="utf-8") as file:
        file.write("\n".join(configuration(network, how)) + "\n")


def configuration(network, how):
    """Its lines: it suggests 16 bits for every convolution; the layers are listed from the network's end."""
    layers = [(layer, tensor) for layer, tensor in network.layers() if layer.startswith("Conv_")]
    yield from ("%YAML 1.2", "---", COMMENT)
    yield "customized_quantize_layers:" + ("" if layers else " {}")
    for layer, _ in layers:
        yield "    %s: dynamic_fixed_point-i16" % (quoted(layer) if "'" in layer else layer)
    yield "quantize_parameters:"
    for layer, tensor in reversed(network.layers()):
        low, high = network.ranges[tensor]
        scale, zero, _, _ = scale_of(low, high, how)
        name = quoted("@%s:out0" % layer)
        yield from (
            ("    ? " + name, "    :   dtype: asymmetric_affine")
            if len(name) > 128
            else (
                "    %s:" % name,
                "        dtype: %s" % ("asymmetric_affine" if how == "u8" else "dynamic_fixed_point"),
            )
        )
        yield from ("        method: layer", "        max_value:", "        -   %r" % high)
        yield from (
            "        min_value:",
            "        -   %r" % low,
            "        zero_point:",
            "        -   %d" % zero,
        )
        yield from ("        scale:", "        -   %r" % scale, "        qtype: %s" % how)
        if layer.startswith("Conv_"):
            yield from (
                "    %s:" % quoted("@%s:bias" % layer),
                "        dtype: asymmetric_affine",
                "        qtype: i32",
            )


def read(model_input, data_input):
    """The network as step 1 left it."""
    with open(model_input) as file:
        graph = json.load(file)
    with open(data_input) as file:
        data = json.load(file)
    graph["constants"] = {name: (tuple(shape), flat) for name, (shape, flat) in data["constants"].items()}
    network = Network(graph)
    network.ranges = {name: tuple(span) for name, span in data["ranges"].items()}
    return network


def customized(path, network, how):
    """Of each tensor whose layer is customized how it is quantized. Raises Refused."""
    layers = dict(network.layers())
    found = {}
    for name, word in _entries(path):
        if word not in METHODS:
            raise Refused("unknown quantized_dtype %s" % word)
        if name not in layers:
            raise Refused("layer %s is not in the model" % name)
        found[layers[name]] = METHODS[word]
    if len({how, *found.values()} - {None}) > 2:
        raise Refused("at most two quantization methods")
    return found


def _entries(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    head = re.search(r"^customized_quantize_layers:(.*)\n((?:[ ]+.*\n)*)quantize_parameters:", text, re.M)
    if not head:
        raise Refused("no customized_quantize_layers before quantize_parameters")
    if not head.group(2):
        if head.group(1).strip() != "{}":
            raise Refused("an empty customized_quantize_layers must be {}")
        return
    for line in head.group(2).splitlines():
        name, _, word = line.strip().rpartition(": ")
        yield (json.loads(name) if name.startswith('"') else name), word
