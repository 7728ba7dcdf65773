"""Rows for tests of lint: sources whose graph is known, conversions for a target, what they left."""

import json
from typing import Any

from onnx import ModelProto, shape_inference

from dashboard.conversions.models import Artifact, Conversion, Recipe
from dashboard.lint.findings import Target
from dashboard.lint.services import keep_graph
from dashboard.projects.models import Project
from dashboard.registry.models import ModelVersion, Source
from tests.factories import fail, make_artifact, make_conversion, make_model, make_version, store
from workers.toolkits.onnxjob.description import described_graph


def version_with(net: ModelProto, *routes: str, project: Project | None = None) -> ModelVersion:
    """A version whose sources all have this graph, as an inspection keeps it."""
    version = make_version(make_model(project) if project else None, routes or ("main",))
    for source in version.sources.all():
        keep_graph(source, described_graph(shape_inference.infer_shapes(net)))
    return version


def first_source(version: ModelVersion) -> Source:
    return version.sources.select_related("version__model__project", "inspection").all()[0]


def recipe_for(project: Project, target: Target) -> Recipe:
    """A recipe row for any target, whatever this site's toolkits offer."""
    settings = {"toolkit": target.toolkit, "platform": target.platform, "dtype": target.dtype}
    sha256 = f"{target}".replace(" ", "-")[:64]
    recipe, _ = Recipe.objects.get_or_create(project=project, sha256=sha256, defaults={"settings": settings})
    return recipe


def converted(version: ModelVersion, target: Target, facts: dict[str, Any] | None = None) -> Artifact:
    """A conversion of the version's first source for the target that succeeded, with these build facts."""
    artifact = make_artifact(_for(make_conversion(version), target))
    artifact.build_facts_sha256 = store(json.dumps(facts or {})).sha256
    artifact.toolkit_version = "rknn-toolkit2 2.5.0"
    artifact.save()
    return artifact


def refused(version: ModelVersion, target: Target, code: str, detail: str) -> Conversion:
    """A conversion of the version's first source for the target that failed."""
    return fail(_for(make_conversion(version), target), code, detail)


def _for(conversion: Conversion, target: Target) -> Conversion:
    conversion.recipe = recipe_for(conversion.project, target)
    conversion.save()
    return conversion
