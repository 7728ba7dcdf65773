"""The stand-in's RKNN class, by the manual of 1.7.5 [UG 7.1-7.5, 7.11, 7.12, 7.17]."""

import json
import math
import os
import sys

from rknn import arrays, hybrid, protobuf
from rknn.behave import before
from rknn.drawing import draw
from rknn.loaders import Loaders
from rknn.network import Network, as_dumped, file_name, quoted, scale_of
from rknn.operators import NoMatch, transpose

WORDS = {"asymmetric_quantized-u8": "u8", "dynamic_fixed_point-i8": "i8", "dynamic_fixed_point-i16": "i16"}
FAMILIES = ({"rk1806", "rk1808", "rk3399pro"}, {"rv1109", "rv1126"})
FEEDBACK = "log_feedback_to_the_rknn_toolkit_dev_team.log"


class RKNN(Loaders):
    """Answers 0 or -1 as the manual says, and writes the files that it names."""

    def __init__(self, verbose=False, verbose_file=None):
        self.settings, self.network, self.how = None, None, None
        self.pre_compile, self.batch, self.steps = False, 1, []

    def config(
        self,
        batch_size=100,
        mean_values=None,
        std_values=None,
        epochs=-1,
        reorder_channel=None,
        need_horizontal_merge=False,
        quantized_dtype="asymmetric_quantized-u8",
        quantized_algorithm="normal",
        mmse_epoch=3,
        optimization_level=3,
        target_platform=None,
        quantize_input_node=False,
        merge_dequant_layer_and_output_node=False,
        force_builtin_perm=False,
    ):
        before("config")
        targets = set(target_platform or ["rk1808"])
        if not any(targets <= family for family in FAMILIES):
            raise ValueError("target_platform %s is not one family" % sorted(targets))
        if quantized_algorithm not in ("normal", "mmse", "kl_divergence"):
            raise ValueError("Invalid quantized_algorithm: %s" % quantized_algorithm)
        self.mean, self.std = mean_values, std_values
        self.settings = {"dtype": WORDS[quantized_dtype], "targets": sorted(targets)}

    def load_onnx(self, model, inputs=None, input_size_list=None, outputs=None):
        wrong = before("load_onnx")
        if wrong is not None:
            return wrong
        if self.settings is None or not os.path.isfile(model):
            return -1
        graph = protobuf.read(model)
        if inputs:
            sizes = dict(zip(inputs, input_size_list))
            graph["inputs"] = [(name, [1] + sizes[name]) for name, _ in graph["inputs"]]
        self.network = Network(graph)
        sys.stderr.write("\rLoading: 100%|##########| 1/1")
        return 0

    def build(self, do_quantization=True, dataset="", rknn_batch_size=1, pre_compile=False):
        wrong = before("build")
        if wrong is not None:
            return wrong
        if self.network is None:
            return -1
        self.how = self.settings["dtype"] if do_quantization else None
        self.pre_compile, self.batch = pre_compile, rknn_batch_size
        return self._learn(dataset)

    def hybrid_quantization_step1(self, dataset=None):
        wrong = before("hybrid_quantization_step1")
        if wrong is not None:
            return wrong
        if self.network is None:
            return -1
        self.how = self.settings["dtype"]
        if self._learn(dataset):
            return -1
        hybrid.write(self.network, self.how)
        self.settings = None  # config() must be called again before step 2
        return 0

    def hybrid_quantization_step2(
        self, model_input, data_input, model_quantization_cfg, dataset=None, pre_compile=False
    ):
        wrong = before("hybrid_quantization_step2")
        if wrong is not None:
            return wrong
        files = (model_input, data_input, model_quantization_cfg)
        if self.settings is None or not all(os.path.isfile(path) for path in (*files, dataset)):
            return -1
        self.how, self.pre_compile = self.settings["dtype"], pre_compile
        self.network = hybrid.read(model_input, data_input)
        try:
            self.network.own = hybrid.customized(model_quantization_cfg, self.network, self.how)
        except hybrid.Refused as refused:
            sys.stderr.write("E %s\n" % refused)
            return -1
        self.steps = sorted(self.network.own)
        for name in self.steps:
            print("I Insert converter layer %s_pre_0" % name)
        return 0

    def _learn(self, dataset):
        try:
            for feed in self._samples(dataset):
                values = self.network.run(feed)
                self.network.learn(values)
        except NoMatch as op:
            sys.stderr.write("\x1b[1;31mE Not match tensor %s:out0\x1b[0m\n\n" % op)
            with open(FEEDBACK, "w") as file:
                file.write("E rknn-toolkit version: 1.7.5\nE Try match %s:out0 failed\n" % op)
            return -1
        print("W ----------------found outlier value----------------")
        if self.how and os.environ.get("RKNN_DRAW_DATA_DISTRIBUTE") == "1":
            draw(self.network, values, self.batch)
        return 0

    def export_rknn(self, export_path):
        wrong = before("export_rknn")
        if wrong is not None:
            return wrong
        text = (
            json.dumps(
                {
                    "made by": "a stand-in for tests",
                    "how": self.how,
                    "pre_compile": self.pre_compile,
                    "batch": self.batch,
                    "customized": self.steps,
                }
            )
            + " " * 1024
        )
        with open(export_path, "wb") as file:
            file.write(b"RKNN" + b"\0" * 4 + text.encode())
        return 0

    def accuracy_analysis(
        self,
        inputs,
        output_dir="./snapshot",
        calc_qnt_error=True,
        target=None,
        device_id=None,
        dump_file_type="tensor",
    ):
        wrong = before("accuracy_analysis")
        if wrong is not None:
            return wrong
        samples = list(self._samples(inputs))
        if len(samples) != 1 or target or self.batch > 1:  # of larger batches no manual says anything
            return -1
        floats = self.network.run(samples[0])
        runs = {"fp32": floats}
        if calc_qnt_error:
            runs["entire_qnt"] = self.network.run(samples[0], self.how)
            runs["individual_qnt"] = self.network.run(samples[0], self.how, alone=floats)
        for name, values in runs.items():
            self._dump(os.path.join(output_dir, name), values, dump_file_type)
        if calc_qnt_error:
            self._tables(output_dir, runs)
        return 0

    def export_rknn_quant_params(self, model, only_io=True):
        wrong = before("export_rknn_quant_params")
        if wrong is not None:
            return wrong
        lines = ["model_name: artifact", "quant_params:"]
        for layer, tensor in self.network.layers():
            lines += ["    %s:" % quoted(layer + ":out0"), "        op: VSI_NN_OP_STANDIN"]
            how = self.network.how(tensor, self.how)
            if how is None:
                lines += ["        qtype: none", "        dtype: fp16"]
                continue
            scale, zero, _, _ = scale_of(*self.network.ranges[tensor], how=how)
            affine = how == "u8"
            lines += [
                "        qtype: %s" % ("asymmetric_affine" if affine else "dynamic_fixed_point"),
                "        dtype: %s" % how,
            ]
            lines += (
                ["        scale: %r" % scale, "        zero_point: %d" % zero]
                if affine
                else ["        fl: %d" % round(-math.log(scale, 2))]
            )
        with open("artifact_quant_param.yml", "w") as file:
            file.write("\n".join(lines) + "\n")
        return 0

    def release(self):
        self.network = None

    def _samples(self, listing):
        """Each line's arrays as network inputs: NHWC to NCHW, minus mean, divided by std."""
        with open(listing) as file:
            rows = [line.split() for line in file if line.strip()]
        for row in rows:
            feed = {}
            for at, (path, (name, sizes)) in enumerate(zip(row, self.network.graph["inputs"])):
                value = arrays.load(path)
                value = transpose(value, (0, 3, 1, 2)) if len(value[0]) == 4 else value
                assert sizes is None or list(value[0]) == list(sizes), "%s is %s, not %s" % (
                    path,
                    value[0],
                    sizes,
                )
                feed[name] = self._normalised(value, at)
            yield feed

    def _normalised(self, value, at):
        if not self.mean:
            return value
        shape, flat = value
        area = len(flat) // shape[1]
        mean, std = self.mean[at], self.std[at]
        return shape, [
            (x - mean[i // area % shape[1]]) / std[i // area % shape[1]] for i, x in enumerate(flat)
        ]

    def _dump(self, folder, values, kind):
        os.makedirs(folder)
        names = []
        for layer, tensor in self.network.layers():
            shape, flat = as_dumped(values[tensor])
            names.append(file_name(layer, values[tensor][0]))
            path = os.path.join(folder, names[-1] + "." + kind)
            if kind == "npy":
                arrays.save(path, shape, flat)
            else:
                with open(path, "w") as file:
                    file.write("".join("%.6f\n" % value for value in flat))
        names.append("attach_" + names[-1].replace("_out0", "_out0_0_out0"))
        if folder.endswith("fp32"):
            with open(os.path.join(folder, "order.txt"), "w") as file:
                file.write("".join(name + ".npy\n" for name in names))

    def _tables(self, output_dir, runs):
        for kind in ("entire", "individual"):
            with open(os.path.join(output_dir, kind + "_qnt_error_analysis.txt"), "w") as file:
                for at, (layer, tensor) in enumerate(self.network.layers()):
                    is_input = at < len(self.network.graph["inputs"])
                    if kind == "individual" and is_input:
                        continue
                    dumped = file_name(layer, runs["fp32"][tensor][0])
                    name = dumped + ".npy" if kind == "entire" else dumped.split("_out0_nhwc_")[0]
                    floats, other = runs["fp32"][tensor][1], runs[kind + "_qnt"][tensor][1]
                    cosine = sum(a * b for a, b in zip(floats, other)) / (norm(floats) * norm(other) or 1.0)
                    distance = math.sqrt(max(0.0, 2 - 2 * cosine))
                    row = "%-60s \t%s\teculidean_norm=%.6f\tcosine_norm=%.6f\n"
                    file.write(row % (name, self.how if is_input else None, distance, cosine))


def norm(flat):
    return math.sqrt(sum(value * value for value in flat))
