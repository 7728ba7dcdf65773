"""From a float graph and ranges to a graph of QuantizeLinear/DequantizeLinear pairs: uint8, asymmetric, per
tensor, like the RV1126.

This is the second half of onnxruntime's quantize_static (its QDQQuantizer); the first half, calibration, is
ours (ranges.py), because onnxruntime's holds the activations of all samples in memory.
"""

import logging
from collections.abc import Mapping, Set

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer, QDQTensorQuantInfo

from workers.toolkits.onnxjob.execute import Observed
from workers.toolkits.onnxjob.folding import fold_batch_norms
from workers.toolkits.onnxjob.freeing import number_twins
from workers.toolkits.onnxjob.graph import captured_names, sort_nodes
from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.onnxjob.pairs import dequantized, drop_pairs
from workers.toolkits.onnxjob.quantized import Quantization, Quantized
from workers.toolkits.onnxjob.ranges import Range

DTYPES = ("u8",)
# What runs in 8 bits. All other operators keep float arithmetic between quantized neighbours: functions too
# steep for 256 steps (Exp, Log, Pow, Sqrt), anything with control flow, recurrent layers, and what ONNX
# Runtime calls its own.
QUANTIZABLE = frozenset(
    "Conv ConvTranspose Gemm MatMul Add Sub Mul Div Neg Abs Max Min Relu LeakyRelu PRelu Clip Elu "  # noqa: SIM905
    "Selu Sigmoid Tanh HardSigmoid HardSwish Mish Gelu Softplus Softmax BatchNormalization "
    "InstanceNormalization LayerNormalization Reshape Flatten Transpose Squeeze Unsqueeze "
    "DepthToSpace SpaceToDepth Slice Split Concat Pad Gather Tile Expand Identity Resize MaxPool "
    "AveragePool GlobalAveragePool GlobalMaxPool ReduceMean ReduceSum ReduceMax ReduceMin".split()
)

BIASED = ("Conv", "ConvTranspose", "Gemm")


class _Quantizer(QDQQuantizer):  # type: ignore[misc]
    """onnxruntime's quantizer, which takes a Softmax for something between 0 and 1 whatever was measured: of a
    thousand classes that are about equally likely nothing would be left."""

    def adjust_tensor_ranges(self) -> None:
        """Ranges that operators dictate; a Softmax keeps what calibration found."""
        measured = dict(self.tensors_range.items())
        super().adjust_tensor_ranges()
        for node in self.model.nodes():
            if node.op_type == "Softmax" and node.output[0] in measured:
                self.tensors_range[node.output[0]] = measured[node.output[0]]

    def _quantize_sharing_param_tensors(self) -> None:
        """What shares the steps of another tensor; onnxruntime waits forever for one that is not quantized itself."""
        known, size = set(self.quantized_value_map), -1
        while len(known) > size:
            size = len(known)
            known |= {name for name, how in self.tensors_to_quantize.items() if _provider(how) in known}
        if orphans := set(self.tensors_to_quantize) - known:
            raise Refused("toolkit:own-fault", f"{min(orphans)!r} shares steps that no tensor has.")
        super()._quantize_sharing_param_tensors()


def _provider(how: QDQTensorQuantInfo) -> str:
    return how.quant_para_provider.input_name if how.quant_para_provider else ""


def quantize(
    source: onnx.ModelProto,
    observed: Mapping[str, Observed],
    ranges: Mapping[str, Range],
    optimization_level: int,
    kept_float: Set[str] = frozenset(),
) -> Quantized:
    """Quantize a copy of `source`; the nodes named in `kept_float` keep float arithmetic and a float result.

    Level 0 keeps every operator apart; from 1 on batch normalization is folded into the convolution before
    it and Relu and Clip into whatever they follow (their tensors then exist no more). Raises Refused
    toolkit:own-fault.
    """
    model = onnx.ModelProto()
    model.CopyFrom(source)
    drop_pairs(model.graph)
    if optimization_level > 0:
        fold_batch_norms(model)
    _declare_types(model, observed)
    untouchable = captured_names(model.graph) | _passed_through(model.graph) | dequantized(model.graph)
    constants = {tensor.name for tensor in model.graph.initializer}
    candidates = [node for node in model.graph.node if node.name not in kept_float]
    names = [n.name for n in candidates if _is_quantizable(n, untouchable, observed, ranges, constants)]
    if not names:
        return Quantized(model, {})
    chosen = set(names)
    inputs = dict.fromkeys(
        name for node in model.graph.node if node.name in chosen for name in node.input if name in observed
    )
    quantizer = _run_quantizer(model, names, list(inputs), ranges, keep_activations=optimization_level == 0)
    result: onnx.ModelProto = quantizer.model.model
    _forget(result)
    number_twins(result.graph, source.graph)
    sort_nodes(result.graph)  # The quantizer appends its nodes at the end.
    found = _quantizations(quantizer, result, observed)
    floats = {name for node in source.graph.node if node.name in kept_float for name in node.output}
    return Quantized(result, {name: how for name, how in found.items() if name not in floats})


def _declare_types(model: onnx.ModelProto, observed: Mapping[str, Observed]) -> None:
    """Write the measured types and shapes into the graph, so that the quantizer need not infer (and fail to
    infer) them."""
    del model.graph.value_info[:]
    known = {
        "tensor(float)": TensorProto.FLOAT,
        "tensor(float16)": TensorProto.FLOAT16,
        "tensor(double)": TensorProto.DOUBLE,
    }
    listed = {value.name for value in (*model.graph.input, *model.graph.output)}
    for name, tensor in observed.items():
        if name not in listed:
            model.graph.value_info.append(
                onnx.helper.make_tensor_value_info(name, known[tensor.type], tensor.shape)
            )
    model.metadata_props.add(key="onnx.infer", value="onnxruntime.quant")


def _is_quantizable(
    node: onnx.NodeProto,
    untouchable: set[str],
    observed: Mapping[str, Observed],
    ranges: Mapping[str, Range],
    constants: set[str],
) -> bool:
    """Whether `node` runs in 8 bits: known operator, float32 with finite ranges on every side, invisible to
    inner graphs."""
    if node.op_type not in QUANTIZABLE or node.domain not in ("", "ai.onnx"):
        return False
    flowing = [name for name in (*node.input, *node.output) if name in observed]
    if len(node.input) > 2 and node.op_type in BIASED and not {node.input[1]} & (set(observed) | constants):
        return False  # A bias is quantized in steps of its weight, and this one has none.
    return (
        any(name in observed for name in node.output)
        and all(observed[name].type == "tensor(float)" and name in ranges for name in flowing)
        and not untouchable.intersection(flowing)
    )


def _passed_through(graph: onnx.GraphProto) -> set[str]:
    """Inputs that are outputs as well: the quantizer would make their name twice."""
    return {value.name for value in graph.input} & {value.name for value in graph.output}


def _run_quantizer(
    model: onnx.ModelProto,
    names: list[str],
    inputs: list[str],
    ranges: Mapping[str, Range],
    *,
    keep_activations: bool,
) -> QDQQuantizer:
    bounds = {
        name: (np.array(low, np.float32), np.array(high, np.float32)) for name, (low, high) in ranges.items()
    }
    logging.getLogger().setLevel(
        logging.ERROR
    )  # It advises pre-processing at every tensor that it leaves alone.
    try:
        quantizer = _Quantizer(
            model,
            False,
            False,
            TensorProto.UINT8,
            TensorProto.UINT8,
            TensorsData(CalibrationMethod.MinMax, bounds),
            names,
            [],
            sorted(QUANTIZABLE),
            {"QDQKeepRemovableActivations": keep_activations, "ForceQuantizeNoInputCheck": True},
        )
        # An NPU's tensors are all in 8 bits. Without this, what merely passes values on (Relu, Reshape) stays float
        # behind the graph's input and behind float operators.
        for name in inputs:
            quantizer.quantize_activation_tensor(name)
        quantizer.quantize_model()
    except Refused:
        raise
    except Exception as error:
        raise Refused("toolkit:own-fault", f"Quantization failed: {type(error).__name__}: {error}") from error
    return quantizer


def _forget(model: onnx.ModelProto) -> None:
    """Drop what only the quantizer needed."""
    kept = [entry for entry in model.metadata_props if entry.key != "onnx.infer"]
    copies = [(entry.key, entry.value) for entry in kept]
    del model.metadata_props[:]
    del model.graph.value_info[:]
    for key, value in copies:
        model.metadata_props.add(key=key, value=value)


def _quantizations(
    quantizer: QDQQuantizer, model: onnx.ModelProto, observed: Mapping[str, Observed]
) -> dict[str, Quantization]:
    """The quantizer remembers each tensor's DequantizeLinear output; what that reads is the uint8 tensor."""
    stored = {
        node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"
    }
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for name, pair in quantizer.quantized_value_map.items():
        value = pair.original
        if name in observed and value.q_name in stored:
            scale = numpy_helper.to_array(constants[value.scale_name])
            zero = numpy_helper.to_array(constants[value.zp_name])
            found[name] = Quantization(stored[value.q_name], float(scale), int(zero))
    return found
