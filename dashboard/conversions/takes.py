"""Which toolkit takes which source format (the table is OFFERS); what does not fit is refused before a job starts."""

from collections.abc import Mapping, Sequence

from dashboard.conversions.offers import OFFERS, READY
from dashboard.registry.formats import Format

# by public exporters, tried on no more than that they are there
EXPORTS: Mapping[Format, str] = {
    Format.TFLITE: "python -m tf2onnx.convert --tflite model.tflite --output model.onnx makes an ONNX file of it.",
    Format.KERAS: "For ONNX, load it in Keras, model.export('folder'), then python -m tf2onnx.convert --saved-model"
    " folder --output model.onnx.",
    Format.TENSORFLOW: "python -m tf2onnx.convert --graphdef model.pb --inputs NAME:0 --outputs NAME:0"
    " --output model.onnx makes an ONNX file of it.",
}


def objection(toolkit: str, found: str) -> str:
    """Why this toolkit cannot convert a source of the format `found`, in words; "" when it can."""
    source = Format(found)
    if toolkit in OFFERS and source in OFFERS[toolkit].formats:
        return ""
    if source == Format.RKNN:
        return "The file is compiled already (.rknn): no toolkit converts it. Run it as it is, with the toolkit ready."
    if toolkit == READY:
        return f"ready runs compiled .rknn files as they are; this one is {source.label}, which has to be converted."
    others = " and ".join(name for name, offer in OFFERS.items() if source in offer.formats)
    return f"{toolkit} does not take {source.label} files; {others} would. {EXPORTS.get(source, '')}".rstrip()


def misplaced(told: Sequence[str], platform: str) -> str:
    """Why a compiled file for the platforms that it tells cannot run on this one, in words; "" when it can, or when it
    tells none.
    """
    if not told or platform in told:
        return ""
    return f"The file is compiled for {', '.join(told)}, and was asked for {platform}."
