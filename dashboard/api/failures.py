"""`/api/v1/failures/`: every failure code a job can end with, in the words that pages show."""

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.joblinks import FailureSerializer
from dashboard.jobs.failures import ALL


class Failures(GenericAPIView):  # type: ignore[type-arg]  # a list without rows behind it
    """The public list of failure codes."""

    serializer_class = FailureSerializer
    metadata_class = None

    @extend_schema(responses=FailureSerializer(many=True), operation_id="failures_list")
    def get(self, request: Request) -> Response:
        """Codes with title, advice and whose fault it is."""
        page = self.paginate_queryset(ALL)
        return self.get_paginated_response(FailureSerializer(page, many=True).data)
