"""The room listens to what happens to boards from the start on."""

from django.apps import AppConfig


class HealthConfig(AppConfig):
    name = "dashboard.health"

    def ready(self) -> None:
        from dashboard.health import listening

        listening.connect()
