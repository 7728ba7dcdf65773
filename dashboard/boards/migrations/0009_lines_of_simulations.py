"""Queued runs of artifacts for simulated boards move to lanes that say so."""

from django.db import migrations


def move(apps, schema_editor):
    Run, Lane = apps.get_model("boards", "Run"), apps.get_model("boards", "Lane")
    theirs = Run.objects.filter(
        state__in=["queued", "running"], artifact__conversion__recipe__settings__toolkit="reference"
    ).exclude(lane=None)
    for run in theirs.select_related("lane").only("lane"):
        lane, _ = Lane.objects.get_or_create(
            project_id=run.lane.project_id,
            platform=run.lane.platform,
            simulation=True,
            runtime_version=run.lane.runtime_version,
            labels=run.lane.labels,
        )
        Run.objects.filter(pk=run.pk).update(lane=lane)


class Migration(migrations.Migration):
    dependencies = [("boards", "0008_simulation"), ("conversions", "0005_run_only")]
    operations = [migrations.RunPython(move, migrations.RunPython.noop)]
