"""`/api/v1/toolkits/`: what living workers offer now. What is not here is refused when it is asked for."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.conversions.offered import Offered, Worker, workers


class ToolkitSerializer(serializers.Serializer[Any]):
    """One version of a toolkit at one worker; `formats` are those of sources that it takes.

    `dtypes` maps each platform to its data types, `algorithms` each data type to its algorithms.

    `version` is what a recipe's `toolkit_version` may name; `title` is what artifacts name as their `toolkit_version`.
    """

    toolkit = serializers.CharField()
    version = serializers.CharField()
    title = serializers.CharField()
    worker = serializers.CharField()
    since = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    dtypes = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    algorithms = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    formats = serializers.ListField(child=serializers.CharField())


class Toolkits(GenericAPIView):  # type: ignore[type-arg]  # a list without rows of its own behind it
    """What living workers offer."""

    serializer_class = ToolkitSerializer
    metadata_class = None

    @extend_schema(responses=ToolkitSerializer(many=True), operation_id="toolkits_list")
    def get(self, request: Request) -> Response:
        """Every version of a toolkit that a living worker has, by worker."""
        rows = [_row(worker, one) for worker in workers() for one in worker.offers]
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(ToolkitSerializer(page, many=True).data)


def _row(worker: Worker, one: Offered) -> dict[str, Any]:
    return {**one.as_dict(), "worker": worker.name, "since": worker.since, "seen_at": worker.seen_at}
