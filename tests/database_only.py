"""A pytest plug-in that keeps the tests that touch the database, for the second pass of `make test`."""

import pytest

FIXTURES = {
    "db",
    "transactional_db",
    "django_db_reset_sequences",
    "django_db_serialized_rollback",
    "live_server",
}


def touches_the_database(item: pytest.Item) -> bool:
    """Whether a test asks for the database by mark or by fixture, also by way of another fixture."""
    return item.get_closest_marker("django_db") is not None or bool(
        FIXTURES & set(getattr(item, "fixturenames", ()))
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the others aside."""
    others = [item for item in items if not touches_the_database(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if touches_the_database(item)]
