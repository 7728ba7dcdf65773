"""Whether a board can be trusted: golden models, their checks, incidents, twin checks, power switches."""

from dashboard.health.models.check import Cause, HealthCheck, Outcome
from dashboard.health.models.golden import GoldenModel, GoldenOutputs
from dashboard.health.models.incident import Incident, IncidentKind
from dashboard.health.models.power import PowerCycle, PowerSwitch, SwitchKind
from dashboard.health.models.twin import TwinCheck, TwinOutcome
from dashboard.health.models.watch import BoardWatch

__all__ = [
    "BoardWatch",
    "Cause",
    "GoldenModel",
    "GoldenOutputs",
    "HealthCheck",
    "Incident",
    "IncidentKind",
    "Outcome",
    "PowerCycle",
    "PowerSwitch",
    "SwitchKind",
    "TwinCheck",
    "TwinOutcome",
]
