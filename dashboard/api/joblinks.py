"""How other resources point at a job: its kind, id, state and address."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dashboard.jobs.models import Job, State


class FailureSerializer(serializers.Serializer[Any]):
    """Why a job failed: the public code, and the same words as on the pages."""

    code = serializers.CharField()
    title = serializers.CharField()
    advice = serializers.CharField()
    blame = serializers.CharField()


class JobFailureSerializer(FailureSerializer):
    """One job's failure: also what exactly it was."""

    detail = serializers.CharField(allow_blank=True)


class JobLinkSerializer(serializers.Serializer[Any]):
    """A job in short; `url` has the rest."""

    kind = serializers.CharField()
    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=State.choices)
    stage = serializers.CharField()
    failure = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    def get_url(self, job: Job) -> str:
        return job_url(job)

    @extend_schema_field(JobFailureSerializer(allow_null=True))
    def get_failure(self, job: Job) -> dict[str, Any] | None:
        return failure_of(job)


def job_url(job: Job) -> str:
    """Where the API tells everything about the job."""
    return reverse("api-job-detail", args=[job.kind, job.pk])


def failure_of(job: Job) -> dict[str, Any] | None:
    """The job's failure with its title, its advice and what exactly it was."""
    why = job.why
    return JobFailureSerializer({**vars(why), "blame": why.blame, "detail": job.detail}).data if why else None
