"""Runs that are queued already get their place in the queue."""

from django.db import migrations


def line_up(apps, schema_editor):
    Run, Lane = apps.get_model("boards", "Run"), apps.get_model("boards", "Lane")
    for run in Run.objects.filter(state__in=["queued", "running"], lane=None).only(
        "project_id", "platform", "runtime_version", "labels", "priority", "purpose"
    ):
        lane, _ = Lane.objects.get_or_create(
            project_id=run.project_id,
            platform=run.platform,
            runtime_version=run.runtime_version,
            labels=" ".join(sorted(set(run.labels))),
        )
        rank = run.priority + (100 if run.purpose in {"health", "twin"} else 0)
        Run.objects.filter(pk=run.pk).update(lane=lane, rank=rank)


class Migration(migrations.Migration):
    dependencies = [("boards", "0003_queue")]
    operations = [migrations.RunPython(line_up, migrations.RunPython.noop)]
