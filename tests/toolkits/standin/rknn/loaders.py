"""The stand-in's other loaders [UG 7.3]. It reads no such format, and takes every file for a Relu of its inputs."""

import os

from rknn.behave import before
from rknn.network import Network


class Loaders:
    """Arguments as the manual names them; 0 when the files are there, else -1."""

    def load_caffe(self, model, proto="caffe", blobs=None):
        assert proto in ("caffe", "lstm_caffe"), proto
        return self._load("load_caffe", [model, blobs or ""])

    def load_darknet(self, model, weight):
        return self._load("load_darknet", [model, weight])

    def load_keras(self, model):
        return self._load("load_keras", [model])

    def load_mxnet(self, symbol, params, input_size_list):
        return self._load("load_mxnet", [symbol, params], [[1, *sizes] for sizes in input_size_list])

    def load_pytorch(self, model, input_size_list):
        return self._load("load_pytorch", [model], [[1, *sizes] for sizes in input_size_list])

    def load_tensorflow(self, tf_pb, inputs, input_size_list, outputs, predef_file=None):
        assert len(inputs) == len(input_size_list) and outputs, (inputs, input_size_list, outputs)
        return self._load("load_tensorflow", [tf_pb], [nchw([1, *sizes]) for sizes in input_size_list])

    def load_tflite(self, model):
        return self._load("load_tflite", [model])

    def _load(self, call, files, sizes=(None,)):
        """Sizes that nobody told (None) are those of the samples."""
        wrong = before(call)
        if wrong is not None:
            return wrong
        if self.settings is None or not all(os.path.isfile(file) for file in files):
            return -1
        inputs = [("input_%d" % number, size) for number, size in enumerate(sizes)]
        nodes = [
            {
                "op": "Relu",
                "name": "relu_%d" % n,
                "inputs": [name],
                "outputs": ["out_%d" % n],
                "attributes": {},
            }
            for n, (name, _) in enumerate(inputs)
        ]
        outputs = [node["outputs"][0] for node in nodes]
        graph = {"name": "net", "nodes": nodes, "constants": {}, "inputs": inputs, "outputs": outputs}
        self.network = Network(graph)
        return 0


def nchw(sizes):
    return [sizes[0], sizes[3], sizes[1], sizes[2]] if len(sizes) == 4 else sizes
