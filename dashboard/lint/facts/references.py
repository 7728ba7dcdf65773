"""The documents that facts come from."""

from dashboard.lint.findings import Reference

SHEET = "RKNN_OP_Support_And_Limit.xlsx (RKNN-Toolkit 1.7.5)"
LIST_2 = "RKNNToolKit2_OP_Support-2.3.2.md"
COMPILER = "RKNN Compiler Support Operator List V2.3.2"


def sheet(row: str) -> Reference:
    """A row of the only limits table of RKNN-Toolkit 1.x: PyTorch 1.10, ONNX opset 12."""
    return Reference(SHEET, f"row {row}")


def onnx_list(op: str) -> Reference:
    """A row of RKNN-Toolkit2's list of ONNX operators; versions 2.1.0 and 2.3.2 have the same list."""
    return Reference(LIST_2, f"ONNX, row {op}")


def compiler(section: str) -> Reference:
    """A section of the compiler's list: 3.x what the NPU takes, by chip; 4 what the CPU takes."""
    return Reference(COMPILER, section)


def tried(text: str, toolkit: str = "rknn-toolkit2 2.5.0") -> Reference:
    """Something that was run with the real toolkit, without a board."""
    return Reference(toolkit, text, "tried")


def reasoned(text: str) -> Reference:
    """A conclusion that stands in no document."""
    return Reference("Layerwise", text, "reasoned")


OPS_1 = Reference("RKNN_OP_Support_V1.7.5.md", "ONNX")
OPS_171 = Reference("RKNN_OP_Support_V1.7.1.md", "ONNX")
GUIDE_1 = "Rockchip User Guide RKNN-Toolkit 1.7.5"
TROUBLE_1 = "Rockchip Trouble Shooting RKNN-Toolkit 1.7.5"
FORUM = Reference(
    "Toybrick forum, thread 4711", "RV1126, one network with PixelShuffle by two routes", "field"
)
YOLO_1 = Reference("rknpu repository, README of the yolov5 demo")
CONV_TRANSPOSE = Reference("rockchip-linux/rknn-toolkit issue 481", "", "field")
FP16_LAYERS = Reference("rockchip-linux/rknn-toolkit issue 427", "", "field")


def guide(section: str) -> Reference:
    return Reference(GUIDE_1, section)


def trouble(section: str) -> Reference:
    return Reference(TROUBLE_1, section)
