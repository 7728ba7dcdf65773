"""Which target a page is about: out of the address, else what the model was evaluated for, else the RV1126."""

from collections.abc import Mapping

from dashboard.evaluations.models import Evaluation
from dashboard.lint.findings import Target
from dashboard.lint.rules import DTYPES, PLATFORMS, RULES
from dashboard.registry.models import ModelVersion

FIRST = Target("rknn1", "rv1126", "u8")
SECOND = Target("rknn2", "rv1126b", "w8a8")
TOOLKITS = tuple(RULES)


class UnknownTarget(ValueError):
    """A toolkit, platform or data type that lint knows nothing about; the text names what it knows."""


def target_of(words: Mapping[str, str], otherwise: Target) -> Target:
    """The target of an address; what is missing or does not fit together is replaced by what does."""
    toolkit = words.get("toolkit") or otherwise.toolkit
    if toolkit not in RULES:
        return otherwise
    platforms, dtypes = PLATFORMS[toolkit], DTYPES[toolkit]
    platform, dtype = words.get("platform") or otherwise.platform, words.get("dtype") or otherwise.dtype
    return Target(
        toolkit,
        platform if platform in platforms else platforms[0],
        dtype if dtype in dtypes else dtypes[0],
    )


def exact_target(words: Mapping[str, str], otherwise: Target) -> Target:
    """As target_of, but what does not fit is refused. Raises UnknownTarget."""
    found = target_of(words, otherwise)
    for name in ("toolkit", "platform", "dtype"):
        word, known = words.get(name), getattr(found, name)
        if word and word != known:
            allowed = {
                "toolkit": TOOLKITS,
                "platform": PLATFORMS[found.toolkit],
                "dtype": DTYPES[found.toolkit],
            }
            raise UnknownTarget(f"{name} must be one of {', '.join(allowed[name])}, not {word!r:.60}.")
    return found


def usual_target(version: ModelVersion) -> Target:
    """What the model was last evaluated for; the RV1126 before its first evaluation. One query."""
    newest = (
        Evaluation.objects.filter(version__model=version.model_id)
        .order_by("-pk")
        .select_related("recipe")
        .first()
    )
    if newest is None:
        return FIRST
    settings = newest.recipe.settings
    return target_of({name: str(settings.get(name, "")) for name in ("toolkit", "platform", "dtype")}, FIRST)


def summary_targets(version: ModelVersion) -> list[Target]:
    """The targets that a version's page sums up: the usual one and one of each vendor toolkit."""
    return list(dict.fromkeys((usual_target(version), FIRST, SECOND)))
