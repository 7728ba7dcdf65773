"""What a conversion depends on, as one frozen value with a content hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

TOOLKITS = ("reference",)
PLATFORMS = ("rv1126", "rv1109")
DTYPES = ("u8",)
ALGORITHMS = ("normal", "entropy", "percentile")
MAX_RANK = 16


class InvalidRecipe(ValueError):
    """A setting is unknown or impossible; the text names it and says what is allowed."""


@dataclass(frozen=True)
class InputSettings:
    """How one input of the network is fed: sizes (None: from the model), and `(x - mean) / std` per channel."""

    shape: tuple[int, ...] | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    reorder: bool = False


@dataclass(frozen=True)
class RecipeSettings:
    """Toolkit, platform, data type, algorithm and the settings of every input."""

    toolkit: str = "reference"
    platform: str = "rv1126"
    dtype: str = "u8"
    algorithm: str = "normal"
    optimization_level: int = 3
    inputs: Mapping[str, InputSettings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_of("toolkit", self.toolkit, TOOLKITS)
        _one_of("platform", self.platform, PLATFORMS)
        _one_of("dtype", self.dtype, DTYPES)
        _one_of("algorithm", self.algorithm, ALGORITHMS)
        _one_of("optimization_level", self.optimization_level, (0, 1, 2, 3))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, for the job folder and for storing."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @property
    def sha256(self) -> str:
        """The recipe's identity: equal settings have equal hashes, whatever their order."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "RecipeSettings":
        """From JSON of outside. Raises InvalidRecipe for anything unknown or impossible."""
        if not isinstance(data, Mapping):
            raise InvalidRecipe("A recipe is an object.")
        unknown = set(data) - set(cls.__dataclass_fields__)
        if unknown:
            raise InvalidRecipe(f"Unknown setting {sorted(unknown)[0]!r}.")
        inputs = data.get("inputs") or {}
        if not isinstance(inputs, Mapping):
            raise InvalidRecipe("inputs must map input names to settings.")
        parsed = {str(name): _input_settings(str(name), settings) for name, settings in inputs.items()}
        return cls(**{**data, "inputs": parsed})


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if not any(value == one and type(value) is type(one) for one in allowed):
        raise InvalidRecipe(f"{name} must be one of {', '.join(map(str, allowed))}, not {value!r:.60}.")


def _input_settings(name: str, data: Any) -> InputSettings:
    if len(name) > 300 or not name.isprintable():
        raise InvalidRecipe("An input's name has at most 300 printable characters.")
    if not isinstance(data, Mapping) or set(data) - set(InputSettings.__dataclass_fields__):
        raise InvalidRecipe(f"inputs.{name} takes {', '.join(InputSettings.__dataclass_fields__)}.")
    reorder = data.get("reorder", False)
    if not isinstance(reorder, bool):
        raise InvalidRecipe(f"inputs.{name}.reorder must be true or false.")
    std = _numbers(f"inputs.{name}.std", data.get("std", (1.0,)))
    if 0.0 in std:
        raise InvalidRecipe(f"inputs.{name}.std must not hold 0.")
    mean = _numbers(f"inputs.{name}.mean", data.get("mean", (0.0,)))
    return InputSettings(_shape(name, data.get("shape")), mean, std, reorder)


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e30]
    if not values or len(numbers) != len(values) or len(values) > 4096:
        raise InvalidRecipe(f"{name} must be a number or a list of numbers.")
    return tuple(float(number) for number in numbers)


def _shape(name: str, value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    sizes = value if isinstance(value, list | tuple) else ()
    good = [s for s in sizes if isinstance(s, int) and not isinstance(s, bool) and 0 < s < 1 << 24]
    if not sizes or len(good) != len(sizes) or len(sizes) > MAX_RANK:
        raise InvalidRecipe(f"inputs.{name}.shape must be a list of positive whole numbers.")
    return tuple(good)
