"""Which files of a version a recipe is for: what does not fit is refused, or left out, before a job starts."""

from dashboard.conversions.recipe import RecipeSettings
from dashboard.conversions.takes import misplaced, objection
from dashboard.registry.formats import Format
from dashboard.registry.models import ModelVersion, Source, reported
from dashboard.registry.services import Refused


def check_sources(version: ModelVersion, recipe: RecipeSettings) -> None:
    """Refuse a recipe that fits none of the files; of several routes, those that fit are evaluated."""
    every = list(version.sources.select_related("inspection"))
    objections = [why for source in every if (why := unfit(source, recipe))]
    if objections and len(objections) == len(every):
        raise next((why for why in objections if why.code == "recipe:wrong-platform"), objections[0])


def unfit(source: Source, recipe: RecipeSettings) -> Refused | None:
    """Why the recipe does not fit the file; None when it does, and while the file is not known."""
    found = source.format
    if found is None:
        return None
    if why := objection(recipe.toolkit, found):
        return Refused("recipe:wrong-format", why)
    why = misplaced(reported(source).get("platforms", ()), recipe.platform)
    return Refused("recipe:wrong-platform", why) if why else None


def routes(version: ModelVersion, recipe: RecipeSettings) -> list[Source]:
    """What gets a leg: ready files for each platform, and the networks beside them, are evaluated apart, as far as it
    is known by now which is which.
    """
    every = list(version.sources.select_related("inspection"))
    return [one for one in every if not _is_apart(one, recipe)] or every


def _is_apart(source: Source, recipe: RecipeSettings) -> bool:
    if source.format is None:
        return False
    is_ready = source.format == Format.RKNN
    return is_ready != recipe.is_run_only or (is_ready and unfit(source, recipe) is not None)
