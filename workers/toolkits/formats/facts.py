"""What is told of a model that is no ONNX file; what nobody can tell without its framework stays unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_INPUTS = 256
NAME = 500


@dataclass(frozen=True)
class Facts:
    """Inputs and outputs are (name, shape or None, numpy type name or ""), remarks (code, text). `platforms`: what a
    compiled file is made for."""

    inputs: Sequence[tuple[str, Sequence[int | None] | None, str]] = ()
    outputs: Sequence[tuple[str, Sequence[int | None] | None, str]] = ()
    operators: Mapping[str, int] = field(default_factory=dict)
    producer: str = ""
    remarks: Sequence[tuple[str, str]] = ()
    platforms: Sequence[str] = ()

    def report(self, kind: str) -> dict[str, Any]:
        """The inspection's result for a file of this format (see inspect.ModelFacts); 0 is "not known"."""
        inputs = [_tensor(*one) for one in self.inputs[:MOST_INPUTS]]
        is_open = not inputs or any(one["shape"] is None or None in one["shape"] for one in inputs)
        shapes = [one["shape"] for one in inputs if one["shape"]]
        return {
            "format": kind,
            "inputs": inputs,
            "outputs": [_tensor(*one) for one in self.outputs[:MOST_INPUTS]],
            "opset": 0,
            "ir_version": 0,
            "operators": {_clean(name): count for name, count in sorted(self.operators.items())[:1000]},
            "parameters": 0,
            "nodes": sum(self.operators.values()),
            "max_rank": max((len(shape) for shape in shapes), default=0),
            "dynamic": is_open,
            "producer": _clean(self.producer)[:200],
            "external_data": False,
            "platforms": list(self.platforms),
            "lint": [_remark(*one) for one in (*self.remarks, *_unknown(is_open))],
        }


def _unknown(is_open: bool) -> list[tuple[str, str]]:
    """The honest word about inputs that the file does not tell."""
    if not is_open:
        return []
    return [
        ("inputs-unknown", "The file does not tell all names and sizes of inputs: name them in the recipe.")
    ]


def _tensor(name: str, shape: Sequence[int | None] | None, dtype: str) -> dict[str, Any]:
    sizes = None if shape is None else [size if size is not None and size > 0 else None for size in shape]
    return {"name": _clean(name), "shape": sizes, "dtype": dtype}


def _remark(code: str, text: str) -> dict[str, str]:
    return {"code": code, "node": "", "text": text}


def _clean(name: str) -> str:
    """A name fit for every database and page."""
    return "".join(letter for letter in name if letter.isprintable())[:NAME]
