"""What each toolkit may offer to recipes: platforms, data types, algorithms, and the formats of sources that it takes.
What living workers do offer of it is asked in offered.py.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dashboard.registry.formats import Format


@dataclass(frozen=True)
class Offer:
    """What recipes of one toolkit may name: data types by platform, algorithms by data type; the formats it takes."""

    dtypes: Mapping[str, tuple[str, ...]]
    algorithms: Mapping[str, tuple[str, ...]]
    formats: tuple[str, ...]

    @property
    def platforms(self) -> tuple[str, ...]:
        return tuple(self.dtypes)


READY = "ready"  # takes compiled files, which are run as they are
AS_BUILT = "as-built"  # data type and algorithm of such a file: nobody here chose or knows them


def _words(*formats: Format) -> tuple[str, ...]:
    return tuple(map(str, formats))


# RKNN-Toolkit2 2.5.0, asked by its own config() for every platform; "float" is a build without quantization.
# The four small chips take that word, and then refuse to build any network of it that was tried.
_QUANTIZED = ("w8a8", "w16a16i_dfp")
_EVERYWHERE = (*_QUANTIZED, "float")
_BY_RANGES = ("normal", "mmse", "kl_divergence")
GDQ = "gdq"  # moves the weights themselves; "only support in ['w4a16', 'w8a16']", and not per layer
_RKNN2: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("rv1103", "rv1106", "rv1103b", "rv1106b"), _QUANTIZED),
    "rv1126b": (*_EVERYWHERE, "w4a16"),
    **dict.fromkeys(("rk3566", "rk3568", "rk3588"), _EVERYWHERE),
    "rk3562": (*_EVERYWHERE, "w8a16"),
    "rk3576": (*_EVERYWHERE, "w4a16"),
    "rk2118": _EVERYWHERE,
}
# RKNN-Toolkit 1.7.5, by its manual [UG 7.2]
_RKNN1 = dict.fromkeys(("rv1126", "rv1109"), ("u8", "i8", "i16", "float"))
OFFERS: Mapping[str, Offer] = {
    "reference": Offer(
        dtypes={"rv1126": ("u8",), "rv1109": ("u8",)},
        algorithms={"u8": ("normal", "entropy", "percentile")},
        formats=_words(Format.ONNX, Format.TORCHSCRIPT),  # the latter by way of the torch environment
    ),
    "rknn1": Offer(
        dtypes=_RKNN1,
        algorithms=dict.fromkeys(("u8", "i8", "i16", "float"), _BY_RANGES),
        formats=_words(*(one for one in Format if one != Format.RKNN)),  # [UG 7.3]
    ),
    "rknn2": Offer(
        dtypes=_RKNN2,
        algorithms={
            **dict.fromkeys(_EVERYWHERE, _BY_RANGES),
            **dict.fromkeys(("w4a16", "w8a16"), (*_BY_RANGES, GDQ)),
        },
        formats=_words(
            Format.ONNX,
            Format.TORCHSCRIPT,
            Format.CAFFE,
            Format.DARKNET,
            Format.TFLITE,
            Format.TENSORFLOW,
        ),
    ),
    # for what the vendor's toolkits build, and for RK1808, whose runtime is the RV1126's
    READY: Offer(
        dtypes=dict.fromkeys((*_RKNN1, *_RKNN2, "rk1808"), (AS_BUILT,)),
        algorithms={AS_BUILT: (AS_BUILT,)},
        formats=_words(Format.RKNN),
    ),
}

# Formats that not every environment of a toolkit can load, and the package that it takes for them. They have queues of
# their own: workers with the same version may differ in what was installed beside it.
NEEDS: Mapping[str, Mapping[str, str]] = {
    # TensorFlow is there wherever the toolkit quantizes [TS 3.3]; these two pip does not bring along [UG 2.2]
    "rknn1": {str(Format.TORCHSCRIPT): "torch", str(Format.MXNET): "mxnet"},
    "rknn2": dict.fromkeys(_words(Format.TFLITE, Format.TENSORFLOW), "tensorflow"),
}
HOW_TO_ADD_PACKAGE: Mapping[str, str] = {
    "torch": "Install torch 1.10.0 beside RKNN-Toolkit 1.x (docs/toolkits.md) and start the worker anew.",
    "mxnet": "Install mxnet 1.5.0 beside RKNN-Toolkit 1.x (docs/toolkits.md) and start the worker anew.",
    "tensorflow": "Run make toolkit-rknn2 WITH=tensorflow on a worker's machine and start the worker anew.",
}


def _every(words: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for group in words for word in group))


HOW_TO_ADD: Mapping[str, str] = {
    "reference": "It is built in: start a worker that converts (manage.py worker --converter).",
    "rknn1": "Download the vendor's wheel, make an environment with it and start the worker anew (docs/toolkits.md).",
    READY: "It is built in: start a worker that serves the queue convert.ready (manage.py worker --converter does).",
    "rknn2": "Run make toolkit-rknn2 on a worker's machine and start the worker anew (docs/toolkits.md).",
}
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,39}")  # of a package, as recipes and queues name it
TOOLKITS = tuple(OFFERS)
PLATFORMS = _every(offer.platforms for offer in OFFERS.values())
DTYPES = _every(kinds for offer in OFFERS.values() for kinds in offer.dtypes.values())
ALGORITHMS = _every(words for offer in OFFERS.values() for words in offer.algorithms.values())


def queue_of(toolkit: str, version: str = "", source: str = "") -> str:
    """The queue of the workers that have this toolkit, or just this version of it; of those that can load a `source` of
    this format where not all of them can.
    """
    apart = f".{source}" if source in NEEDS.get(toolkit, {}) else ""
    return f"convert.{toolkit}{apart}@{version}" if version else f"convert.{toolkit}{apart}"
