"""Small files, made by the real TensorFlow: `python -m tests.toolkits.tfnetworks OUT_DIR` in its environment.

`net.tflite` and `net.pb` hold one network: a picture of 1 x 120 x 90 x 3 called `image`, a convolution of eight
channels with ReLU, one of four. `quantized.tflite` is the first in 8 bits, `whole.tflite` with its ends too.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf  # type: ignore[import-not-found,unused-ignore]
from tensorflow.python.framework.convert_to_constants import (  # type: ignore[import-not-found,unused-ignore]
    convert_variables_to_constants_v2,
)

rng = np.random.default_rng(1)
FIRST, SECOND = (rng.normal(0, 0.3, shape).astype(np.float32) for shape in ((3, 3, 3, 8), (1, 1, 8, 4)))


def network(image):  # type: ignore[no-untyped-def]
    large = tf.nn.relu(tf.nn.conv2d(image, FIRST, 1, "SAME"))
    return tf.identity(tf.nn.conv2d(large, SECOND, 1, "SAME"), name="out")


def main(folder: Path) -> None:
    """Write the files."""
    picture = tf.TensorSpec([1, 120, 90, 3], tf.float32, name="image")
    function = tf.function(network, input_signature=[picture]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    (folder / "net.tflite").write_bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rng.normal(0, 1, (1, 120, 90, 3)).astype(np.float32)] for _ in range(4)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    (folder / "quantized.tflite").write_bytes(converter.convert())
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (folder / "whole.tflite").write_bytes(converter.convert())
    frozen = convert_variables_to_constants_v2(function)
    (folder / "net.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
