"""`/api/v1/boards/<id>/power-switch/`: how a board's power is switched; for admins, written but never read back."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from dashboard.api.joblinks import JobLinkSerializer
from dashboard.health.models import SwitchKind
from dashboard.health.switches import METHODS, BadSwitch, Configuration, check


class PowerSwitchSerializer(serializers.Serializer[Any]):
    """A power switch: `off` and `on` are a program with its arguments, or one address each."""

    kind = serializers.ChoiceField(choices=SwitchKind.choices)
    off = serializers.ListField(child=serializers.CharField(max_length=2000), max_length=20, default=list)
    on = serializers.ListField(child=serializers.CharField(max_length=2000), max_length=20, default=list)
    pause_s = serializers.IntegerField(min_value=0, max_value=120, default=5)
    method = serializers.ChoiceField(choices=[(method, method) for method in METHODS], default="POST")
    headers = serializers.DictField(child=serializers.CharField(max_length=2000), default=dict)
    reboot = serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=20, default=lambda: ["reboot"]
    )
    automatic = serializers.BooleanField(default=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            check(self.wanted(attrs))
        except BadSwitch as error:
            raise ValidationError(str(error)) from error
        return attrs

    @staticmethod
    def wanted(data: dict[str, Any]) -> Configuration:
        """The configuration that was asked for."""
        return Configuration(
            kind=data["kind"],
            off=tuple(data["off"]),
            on=tuple(data["on"]),
            pause_s=data["pause_s"],
            method=data["method"],
            headers=tuple(data["headers"].items()),
            reboot=tuple(data["reboot"]),
        )


class SwitchShownSerializer(serializers.Serializer[Any]):
    """What may be told of a switch."""

    kind = serializers.CharField()
    automatic = serializers.BooleanField()
    updated_at = serializers.DateTimeField()


class PowerCycleSerializer(JobLinkSerializer):
    """A restart of a board."""

    board = serializers.IntegerField(source="board_id")
    because = serializers.CharField()
    done = serializers.CharField()
