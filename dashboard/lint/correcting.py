"""What was measured here has the last word: findings meet the conversions of their project."""

from collections.abc import Iterable
from dataclasses import replace

from dashboard.lint.built import Built
from dashboard.lint.evidence import Attempt, Evidence
from dashboard.lint.findings import Finding, Severity, Target, ordered

REFUSALS = (
    "unsupported-operator",
    "other-route-only",
    "unlisted-operator",
    "ends-the-toolkit",
    "no-unit",
    "foreign-operator",
)
TOOLKITS_FAULT = ("toolkit:", "model:")


def corrected(findings: Iterable[Finding], evidence: Evidence, sha256: str, target: Target) -> list[Finding]:
    """The findings with what conversions of this file, or of others with the same operators, have shown."""
    own = evidence.of_file(sha256, target)
    return ordered(_corrected(finding, own, evidence, target) for finding in findings)


def _corrected(finding: Finding, own: Attempt | None, evidence: Evidence, target: Target) -> Finding:
    if own is not None and own.succeeded and finding.severity == Severity.ERROR:
        said = f"Conversion {own.conversion} of this very file succeeded ({own.toolkit_version})."
        return _changed(finding, Severity.NOTE, said)
    if own is not None and not own.succeeded and _is_blamed(finding, own):
        said = f"Conversion {own.conversion} of this file failed ({own.failure}) and named this layer or operator."
        return _changed(finding, Severity.ERROR, said)
    other = evidence.with_operator(finding.op, target) if finding.code in REFUSALS else None
    if other is not None and (own is None or own.succeeded):
        said = f"Conversion {other.conversion} of a network with {finding.op} succeeded ({other.toolkit_version})."
        return _changed(
            finding, Severity.WARNING if finding.severity == Severity.ERROR else Severity.NOTE, said
        )
    return finding


def _is_blamed(finding: Finding, own: Attempt) -> bool:
    """Whether the failure's text names the finding's layer, or its operator as a word of its own."""
    if not finding.op or not own.failure.startswith(TOOLKITS_FAULT):
        return False
    words = own.detail.replace("(", " ").replace("'", " ").replace(")", " ").replace(":", " ").split()
    return bool(finding.layer and finding.layer in words) or finding.op in words


def _changed(finding: Finding, severity: Severity, said: str) -> Finding:
    before = finding.corrected or (finding.severity.value if finding.severity != severity else "")
    return replace(
        finding, severity=severity, measured=f"{finding.measured} {said}".strip(), corrected=before
    )


def seen_in_build(findings: Iterable[Finding], built: Built) -> list[Finding]:
    """The findings with what the newest build and run of the same file for the same target did with each layer."""
    return ordered(_seen(finding, built) if finding.layer else finding for finding in findings)


def _seen(finding: Finding, built: Built) -> Finding:
    row, time = built.row_of(finding.layer), built.times.get(finding.layer)
    said = []
    if rules := built.rules.get(finding.layer):
        said.append(f"Conversion {built.conversion} rewrote it by {', '.join(rules)}.")
    if row:
        said.append(f"It was built as {row.op} for the {row.unit}.")
    if time:
        origin = " (simulated)" if built.simulated else ""
        unit = f", by {time.unit}" if time.unit else ""
        share = f"{time.us:.0f} of {built.total_us:.0f} µs"
        said.append(f"On {built.board}{origin} its layer took {share}{unit} in run {built.run}.")
    if not said:
        return finding
    better = finding.code == "cpu-layer" and row is not None and row.unit == "NPU"
    return _changed(finding, Severity.NOTE if better else finding.severity, " ".join(said))
