"""What a conversion depends on, as one frozen value with a content hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dashboard.conversions.extra import BadExtra, checked_extra
from dashboard.conversions.offers import AS_BUILT, OFFERS, READY, TOOLKITS, VERSION
from dashboard.conversions.rules import Rules, conflict, rules_of

MAX_RANK = 16
MOST_LAYERS = 500
# Fields of the first days, part of every hash; what came later is left out while it has its default, so that recipes
# which were stored before keep theirs.
ALWAYS = ("toolkit", "platform", "dtype", "algorithm", "optimization_level", "inputs")


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
    """Toolkit, platform, data type, algorithm, the settings of every input, and what `rules.py` allows beside them.

    `method`: how fine weights are quantized ("": as the toolkit does unasked); `batch`: samples that the artifact takes
    at once; `calibration_batch`: 0 is the toolkit's own; `hybrid`: layers with a data type of their own, by the name
    that the quantized graph has for them; `propose`: let the toolkit tell which should; `histograms`: let it draw
    what it calibrates; `extra`: see extra.py.
    """

    toolkit: str = "reference"
    platform: str = "rv1126"
    dtype: str = "u8"
    algorithm: str = "normal"
    optimization_level: int = 3
    inputs: Mapping[str, InputSettings] = field(default_factory=dict)
    toolkit_version: str = ""  # exactly this one; empty: any that a worker has
    method: str = ""
    batch: int = 1
    calibration_batch: int = 0
    precompile: bool = False
    propose: bool = False
    histograms: bool = False
    hybrid: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_of("toolkit", self.toolkit, TOOLKITS)
        offer = OFFERS[self.toolkit]
        _one_of("platform", self.platform, offer.platforms, f" with {self.toolkit}")
        _one_of("dtype", self.dtype, offer.dtypes[self.platform], f" on {self.platform} with {self.toolkit}")
        algorithms = offer.algorithms[self.dtype]
        _one_of("algorithm", self.algorithm, algorithms, f" for {self.dtype} with {self.toolkit}")
        _check_version(self.toolkit_version)
        if self.is_run_only and self.toolkit_version:
            raise InvalidRecipe("toolkit_version must be empty: the file was built elsewhere.")
        where = f" for {self.dtype} on {self.platform} with {self.toolkit}"
        _check_rules(self, rules_of(self.toolkit, self.platform, self.dtype, self.algorithm), where)

    @property
    def is_run_only(self) -> bool:
        """A compiled file is run as it is: nothing is converted, calibrated or dumped on the way."""
        return self.toolkit == READY

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, for the job folder and for storing; later settings only where they say something."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return {name: value for name, value in plain.items() if name in ALWAYS or value != _default(name)}

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
        if data.get("toolkit") == READY:
            data = {"dtype": AS_BUILT, "algorithm": AS_BUILT, **data}
        parsed = {str(name): _input_settings(str(name), settings) for name, settings in inputs.items()}
        return cls(**{**data, "inputs": parsed, **_later(data)})


def _default(name: str) -> Any:
    made = RecipeSettings.__dataclass_fields__[name]
    return made.default_factory() if callable(made.default_factory) else made.default


def _later(data: Mapping[str, Any]) -> dict[str, Any]:
    """The maps of the later settings, read; a method that the toolkit takes unasked says nothing."""
    read: dict[str, Any] = {}
    words = [data.get(name, "") for name in ("toolkit", "platform", "dtype", "method")]
    if all(isinstance(word, str) for word in words) and words[3] == rules_of(*words[:3]).own_method:
        read["method"] = ""
    if "hybrid" in data:
        read["hybrid"] = _hybrid(data["hybrid"])
    if "extra" in data:
        try:
            read["extra"] = checked_extra(data["extra"])
        except BadExtra as error:
            raise InvalidRecipe(str(error)) from error
    return read


def _hybrid(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > MOST_LAYERS:
        raise InvalidRecipe(f"hybrid must map at most {MOST_LAYERS} layers to data types.")
    for name in value:
        if not isinstance(name, str) or not 0 < len(name) <= 300 or not name.isprintable():
            raise InvalidRecipe("hybrid: a layer's name has 1 to 300 printable characters.")
    return dict(value)


def _check_rules(recipe: RecipeSettings, rules: Rules, where: str) -> None:
    """Raises InvalidRecipe for what this toolkit does not take for this platform and data type."""
    _one_of("optimization_level", recipe.optimization_level, tuple(sorted(rules.levels)), where)
    _one_of("method", recipe.method, ("", *rules.methods), where)
    _within("batch", recipe.batch, 1, rules.batch, where)
    _within("calibration_batch", recipe.calibration_batch, 0, rules.calibration_batch, where)
    _switch("precompile", recipe.precompile, rules.precompile, where)
    _switch("propose", recipe.propose, rules.proposes, where)
    _switch("histograms", recipe.histograms, rules.histograms, where)
    if recipe.hybrid and not rules.layer_dtypes:
        raise InvalidRecipe(f"hybrid: no layer can have a data type of its own{where}.")
    for layer, dtype in recipe.hybrid.items():
        _one_of(f"hybrid.{layer}", dtype, rules.layer_dtypes, where)
    if text := conflict(rules, recipe.dtype, recipe.batch, recipe.hybrid, recipe.propose):
        raise InvalidRecipe(f"{text}{where}.")
    if recipe.extra and not rules.extra:
        raise InvalidRecipe(f"extra: {recipe.toolkit} takes no settings of its own.")


def _switch(name: str, value: object, is_offered: bool, where: str) -> None:
    if not isinstance(value, bool):
        raise InvalidRecipe(f"{name} must be true or false.")
    if value and not is_offered:
        raise InvalidRecipe(f"{name} must be false{where}.")


def _within(name: str, value: object, least: int, most: int, where: str) -> None:
    if type(value) is not int or not least <= value <= most:
        span = f"from {least} to {most}" if most > least else str(least)
        raise InvalidRecipe(f"{name} must be {span}{where}, not {value!r:.60}.")


def _one_of(name: str, value: object, allowed: tuple[object, ...], where: str = "") -> None:
    if not any(value == one and type(value) is type(one) for one in allowed):
        raise InvalidRecipe(
            f"{name} must be one of {', '.join(map(str, allowed))}{where}, not {value!r:.60}."
        )


def _check_version(version: object) -> None:
    if version != "" and not (isinstance(version, str) and VERSION.fullmatch(version)):
        raise InvalidRecipe(f"toolkit_version must look like 2.3.2 or be empty, not {version!r:.60}.")


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
