"""Redis, Celery workers and a dispatcher as real processes, on the database of the tests."""
