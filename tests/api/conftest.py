"""Callers of the API: by token, and by a page's session."""

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from dashboard.projects.models import Project, Scope
from tests import factories


def caller(project: Project, user: User | None = None, scopes: tuple[Scope, ...] = tuple(Scope)) -> APIClient:
    """A training job with a token of this project."""
    client = APIClient()
    secret = factories.make_secret(project, user, scopes)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def project(db: None) -> Project:
    return factories.make_project()


@pytest.fixture
def api(project: Project) -> APIClient:
    """A training job of an admin, reading and writing."""
    return caller(project)
