"""What a recipe may say beyond platform, data type and algorithm: by toolkit, and by what else the recipe says.

Measured with RKNN-Toolkit2 2.5.0 on every platform; RKNN-Toolkit 1.7 as its manual says [UG 4.5, 7.2, 7.4].
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dashboard.conversions.offers import GDQ, READY

# RKNN-Toolkit2: "Hybrid proposal not support at rv1103/rv1106", nor for any other data type than w8a8.
PROPOSING = ("rk3562", "rk3566", "rk3568", "rk3576", "rk3588", "rv1126b")
# Its compiler aborts on convolutions in 16 bits of these (rk2118: on any that was tried), whatever config() accepts.
WITHOUT_HYBRID = ("rv1103b", "rv1106b", "rk2118")
INTEGERS_ONLY = ("rv1103", "rv1106")
# RKNN-Toolkit 1.x: asymmetric_affine-u8, dynamic_fixed_point-i8, -i16 and float32, whatever all others are [UG 4.5.2]
RKNN1_DTYPES = ("u8", "i8", "i16", "float")
OTHER_DTYPES = {"w8a8": ("int16", "float16"), "w16a16i_dfp": ("int8", "float16"), "w4a16": ("float16",)}
METHODS = ("layer", "channel")
GROUPS = tuple(f"group{size}" for size in range(32, 257, 32))  # of channels; w4a16 only
MOST_BATCH = 31  # "should stay below 32" [UG 7.4]
MOST_CALIBRATION_BATCH = 1000


@dataclass(frozen=True)
class Rules:
    """What a toolkit takes for one platform and data type. A most of 0 or 1, an empty tuple, False: it takes none.

    `methods`: how fine weights are quantized; `own_method` is what it does unasked. `layer_dtypes`: what single layers
    may have instead. `levels`: how far the graph may be rewritten;
    `is_calibrated`: whether it needs calibration samples. `proposes`: whether it can tell which layers should.
    `batch`: samples that the artifact takes at once; `calibration_batch`: samples that are calibrated at once.
    `most_quantizations`: of how many kinds the network and its layers may be together (0: any), float not counted;
    `is_batch_alone`: whether a batch goes with neither single layers nor a proposal of them.
    `histograms`: whether it draws the weights and layers that it calibrates.
    """

    methods: tuple[str, ...] = ()
    own_method: str = ""
    layer_dtypes: tuple[str, ...] = ()
    levels: tuple[int, ...] = (3, 2, 1, 0)
    is_calibrated: bool = True
    proposes: bool = False
    histograms: bool = False
    batch: int = 1
    calibration_batch: int = 0
    precompile: bool = False
    extra: bool = False
    most_quantizations: int = 0
    is_batch_alone: bool = False


def rules_of(toolkit: str, platform: str, dtype: str, algorithm: str = "") -> Rules:
    """What the rest of a recipe for this toolkit, platform, data type and algorithm ("": any of them) may say."""
    match toolkit:
        case "reference":
            return Rules(layer_dtypes=("float",))
        case "rknn2":
            rules = _rknn2(platform, dtype)
            return _gdq(rules) if algorithm == GDQ else rules
        case "rknn1":
            return _rknn1(dtype)
        case _ if toolkit == READY:
            return Rules(levels=(3,), is_calibrated=False)  # 3: the level of every recipe that says none
        case _:
            return Rules()


def _rknn2(platform: str, dtype: str) -> Rules:
    if dtype == "float":
        return Rules(batch=MOST_BATCH, extra=True)
    kinds = () if platform in WITHOUT_HYBRID else OTHER_DTYPES.get(dtype, ())
    if platform in INTEGERS_ONLY:
        kinds = tuple(kind for kind in kinds if kind != "float16")
    return Rules(
        methods=(*METHODS, *GROUPS) if dtype == "w4a16" else METHODS,
        own_method="channel",
        layer_dtypes=kinds,
        proposes=dtype == "w8a8" and platform in PROPOSING,
        batch=MOST_BATCH,
        extra=True,
    )


def _gdq(rules: Rules) -> Rules:
    """It is not done per layer, and by build() alone: the steps of hybrid quantization return -1 (tried with 2.5.0)."""
    methods = tuple(method for method in rules.methods if method != "layer")
    return replace(rules, methods=methods, layer_dtypes=(), proposes=False)


def _rknn1(dtype: str) -> Rules:
    """Weights are quantized per layer only. Step 1 suggests layers for i16, and has no word for a batch [UG 7.11]; "a
    model can only have two quantitative methods" [UG 4.5.3], which layers that are not quantized are none of.
    """
    if dtype == "float":
        return Rules(batch=MOST_BATCH, precompile=True, extra=True)
    return Rules(
        layer_dtypes=tuple(kind for kind in RKNN1_DTYPES if kind != dtype),
        proposes=dtype != "i16",
        batch=MOST_BATCH,
        calibration_batch=MOST_CALIBRATION_BATCH,
        precompile=True,
        histograms=True,
        extra=True,
        most_quantizations=2,
        is_batch_alone=True,
    )


def conflict(rules: Rules, dtype: str, batch: int, layers: Mapping[str, str], proposes: bool) -> str:
    """What of a recipe does not go together though each of it is taken; "" when it does."""
    if rules.is_batch_alone and batch > 1 and (layers or proposes):
        return "batch must be 1 with hybrid or propose"
    kinds = sorted({dtype, *layers.values()} - {"float"})
    if rules.most_quantizations and len(kinds) > rules.most_quantizations:
        return (
            f"hybrid: a network has at most {rules.most_quantizations} quantizations, its own counted,"
            f" not {', '.join(kinds)}"
        )
    return ""
