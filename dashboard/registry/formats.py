"""The formats that a source may have; which one it is the inspection tells, by its content."""

from django.db import models


class Format(models.TextChoices):
    """The name in reports and recipes, and what people call it."""

    ONNX = "onnx", "ONNX"
    TORCHSCRIPT = "torchscript", "TorchScript"
    TFLITE = "tflite", "TensorFlow Lite"
    CAFFE = "caffe", "Caffe"
    KERAS = "keras", "Keras"
    TENSORFLOW = "tensorflow", "TensorFlow"
    DARKNET = "darknet", "Darknet"
    MXNET = "mxnet", "MXNet"
    RKNN = "rknn", "RKNN"
