"""What a run brought back from its board."""

from django.db import models

from dashboard.boards.models.run import Run
from dashboard.layers.models import Dump
from dashboard.projects.models import ProjectOwnedQuerySet


class ResultQuerySet(ProjectOwnedQuerySet):
    project_path = "run__project"


class RunResult(models.Model):
    """What a run brought back. Times are in microseconds; all iterations are kept, the median is the run's number."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="result")
    simulated = models.BooleanField(default=False)
    dump = models.ForeignKey(Dump, null=True, on_delete=models.PROTECT, related_name="+")
    outputs_sha256 = models.CharField(max_length=64)
    init_us = models.PositiveBigIntegerField(null=True)
    iterations_us = models.JSONField(default=list)  # by the runtime's own counter where it has one
    wall_us = models.JSONField(default=list)  # the same iterations by the wall's clock; empty: not told
    median_us = models.FloatField()
    hangs = models.PositiveIntegerField(default=0)
    timed_total_us = models.FloatField(null=True)
    timed_layers = models.JSONField(default=list)
    # a list of checks ("sequence" in ARCHITECTURE.md); null: not asked for
    sequence = models.JSONField(null=True)
    fingerprint_before = models.JSONField(default=dict)
    fingerprint_after = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ResultQuerySet.as_manager()

    def __str__(self) -> str:
        return f"result of run {self.run_id}"
