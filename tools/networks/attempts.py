"""One network by one toolkit, through the site's own services and the workers' own steps."""

import io
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tools.networks.house import work_off
from tools.networks.listed import Network, Sizes
from tools.networks.sampling import CALIBRATION, EVALUATION, archive, sizes_of

RECIPES: Mapping[str, Mapping[str, str]] = {
    "reference": {"toolkit": "reference", "platform": "rv1126", "dtype": "u8"},
    "rknn2": {"toolkit": "rknn2", "platform": "rk3588", "dtype": "w8a8"},
}
SEED = 20260
DISABLE = re.compile(r'\{"disable_rules": \[[^\]]*\]\}')
MOST_RULES = 3


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended. `code` is "" for a conversion that succeeded, which has `layers`, the lowest cosine from
    framework to quantized and the layer that has it; else `title`, `advice` and `detail` are what a person reads.
    """

    code: str
    seconds: float = 0.0
    layers: int = 0
    cosine: float | None = None
    layer: str = ""
    last_cosine: float | None = None
    title: str = ""
    advice: str = ""
    detail: str = ""
    lint: str = ""
    version: str = ""
    without: str = ""  # rules of the toolkit that had to be left out, as an earlier failure advised
    day: str = field(default_factory=lambda: time.strftime("%Y-%m-%d", time.gmtime()))


@dataclass(frozen=True)
class Told:
    """What became of one network: facts of the inspection, sizes that had to be named, an outcome per toolkit."""

    network: Network
    facts: Mapping[str, Any]
    sizes: Mapping[str, Sizes]
    asked: str = ""  # the code that asked for the sizes
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)


def attempt(network: Network, path: Path, toolkits: tuple[str, ...]) -> Told:
    """Upload, inspect, convert by each of the toolkits."""
    from django.contrib.auth.models import User

    from dashboard.projects.services import create_project

    user, _ = User.objects.get_or_create(username="networks")
    project = create_project(f"{network.name} {time.time_ns()}", user)
    source, failed = _inspected(project, user, network, path)
    if failed:
        return Told(network, {}, {}, outcomes=dict.fromkeys(toolkits, failed))
    facts = source.inspection.report
    inputs = _inputs(facts, network)
    sizes = sizes_of(inputs, network.sizes)
    engineer = Engineer(user, source, network, inputs, sizes)
    asked = ""
    if sizes and facts["format"] == "onnx":
        asked = engineer.evaluate(toolkits[0], named={}).code
    return Told(network, facts, sizes, asked, {toolkit: engineer.convert(toolkit) for toolkit in toolkits})


def _inputs(facts: Mapping[str, Any], network: Network) -> list[dict[str, Any]]:
    """The inputs that the file tells; one that tells none has those of the list."""
    told = [dict(one) for one in facts["inputs"]]
    return told or [{"name": name, "shape": None, "dtype": "float32"} for name in network.sizes]


def _inspected(project: Any, user: Any, network: Network, path: Path) -> tuple[Any, Outcome | None]:
    from dashboard.registry.services import Upload, register_model, upload_version

    begin = time.monotonic()
    with path.open("rb") as stream:
        model = register_model(project, network.name[:100], user)
        version, _ = upload_version(model, [Upload(path.name, stream)], user)
    source = version.sources.get()
    work_off(lambda: _fresh(source.inspection).has_ended)
    inspection = _fresh(source.inspection)
    source.refresh_from_db()
    return source, None if inspection.is_good else _failed(inspection, begin, {})


@dataclass(frozen=True)
class Engineer:
    """Who uploaded the source and asks for evaluations of it, with samples made up for its inputs."""

    user: Any
    source: Any
    network: Network
    inputs: list[dict[str, Any]]
    sizes: Mapping[str, Sizes]

    def convert(self, toolkit: str) -> Outcome:
        """An evaluation with all sizes named; once more with the rules left out that a failure advises to leave out."""
        rules: list[str] = []
        outcome = self.evaluate(toolkit, self.sizes)
        while (advised := DISABLE.search(outcome.detail)) and len(rules) < MOST_RULES:
            rules += [rule for rule in json.loads(advised[0])["disable_rules"] if rule not in rules]
            again = self.evaluate(toolkit, self.sizes, {"disable_rules": rules})
            outcome = replace(again, without=", ".join(rules))
        return outcome

    def evaluate(
        self, toolkit: str, named: Mapping[str, Sizes], extra: Mapping[str, Any] | None = None
    ) -> Outcome:
        """How an evaluation by this toolkit ended whose recipe names the sizes `named`."""
        from dashboard.conversions.recipe import InputSettings, RecipeSettings
        from dashboard.evaluations.services import Wanted, request_evaluation
        from dashboard.jobs.failures import failure
        from dashboard.registry.services import Refused

        begin = time.monotonic()
        calibration, samples = self._sets()
        recipe = RecipeSettings(
            **RECIPES[toolkit],  # type: ignore[arg-type]
            inputs={name: InputSettings(shape=shape) for name, shape in named.items() if shape},
            extra=extra or {},
        )
        try:
            wanted = Wanted(recipe, calibration, samples)
            evaluation, _ = request_evaluation(self.source.version, wanted, self.user)
        except Refused as refused:
            shown = failure(refused.code)
            return Outcome(refused.code, title=shown.title, advice=shown.advice, detail=refused.detail)
        work_off(lambda: _fresh(evaluation).ended_at is not None)
        return _outcome(_fresh(evaluation).legs.get(), begin, _linted(self.source, toolkit))

    def _sets(self) -> tuple[Any, Any]:
        """The calibration and the evaluation samples, uploaded."""
        from dashboard.registry.models import Purpose
        from dashboard.registry.services import Upload, upload_input_set

        made = []
        for purpose, count in ((Purpose.CALIBRATION, CALIBRATION), (Purpose.EVALUATION, EVALUATION)):
            packed = io.BytesIO(archive(self.inputs, self.sizes, self.network.spans, count, SEED + count))
            upload = Upload(f"{purpose}.zip", packed)
            made.append(upload_input_set(self.source.project, "", upload, purpose, self.user)[0])
        return made[0], made[1]


def _outcome(leg: Any, begin: float, lint: Mapping[str, Any]) -> Outcome:
    for row in (leg.evaluation.calibration, leg.evaluation.samples):
        if not row.inspection.is_good:
            return _failed(row.inspection, begin, lint)
    if leg.conversion is None:
        code = str(leg.reasons[0]["code"])
        return Outcome(code, time.monotonic() - begin, detail=leg.sentence, **lint)
    if leg.conversion.failure:
        return _failed(leg.conversion, begin, lint)
    if leg.quantization is None or leg.quantization.failure:
        return _failed(leg.quantization, begin, lint)
    scores = list(leg.quantization.scores.exclude(cosine=None))
    worst = min(scores, key=lambda score: score.cosine, default=None)
    return Outcome(
        "",
        time.monotonic() - begin,
        layers=len(leg.conversion.artifact.quantized.layers),
        cosine=worst.cosine if worst else None,
        layer=worst.name if worst else "",
        last_cosine=scores[-1].cosine if scores else None,
        version=leg.conversion.artifact.toolkit_version,
        **lint,
    )


def _failed(job: Any, begin: float, lint: Mapping[str, Any]) -> Outcome:
    from dashboard.jobs.failures import failure

    shown = failure(job.failure)
    return Outcome(
        job.failure,
        time.monotonic() - begin,
        title=shown.title,
        advice=shown.advice,
        detail=job.detail,
        **lint,
    )


def _linted(source: Any, toolkit: str) -> dict[str, str]:
    """What lint said of the source before, in numbers: errors, warnings, notes."""
    from dashboard.lint.evidence import Evidence
    from dashboard.lint.findings import Target
    from dashboard.lint.services import graphs_of, linted

    recipe = RECIPES[toolkit]
    target = Target(recipe["toolkit"], recipe["platform"], recipe["dtype"])
    found = linted(source, graphs_of([source]).get(source.pk), target, Evidence())
    counts = found.counts
    return {"lint": f"{counts.error}/{counts.warning}/{counts.note}" if found.graph else ""}


def _fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)
