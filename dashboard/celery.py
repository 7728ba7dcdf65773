"""The Celery app. Messages are hints (a task name and a row id); see ARCHITECTURE.md. Imports no task.

Settings follow what was measured about Celery on Redis: early acknowledgement and no prefetch, because leases in
the database do the recovering; no result backend, because results are rows; JSON only, because a pickle from Redis
would be code.
"""

import os
import ssl

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

from django.conf import settings

app = Celery("layerwise", broker=settings.REDIS_URL)
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_acks_late=False,
    task_reject_on_worker_lost=False,
    task_publish_retry=False,
    task_create_missing_queues=True,
    task_default_queue="light",
    worker_disable_prefetch=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_soft_shutdown_timeout=3,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    # onnxruntime stays out of the worker's memory, what little leaks goes with the child
    worker_max_tasks_per_child=200,
    worker_proc_alive_timeout=60,  # a busy machine may need more than the usual 4 s to start one
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=3,
    broker_transport_options={
        "visibility_timeout": 12 * 3600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "retry_on_timeout": True,
        "global_keyprefix": "layerwise:",
    },
    visibility_timeout=12 * 3600,
    imports=["workers.tasks"],
    # without this, kombu would believe any certificate; what the address says (ssl_ca_certs) comes on top
    broker_use_ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED} if settings.REDIS_URL.startswith("rediss:") else None,
)


@setup_logging.connect
def keep_our_logs(**_: object) -> None:
    """Having a receiver is what keeps Celery from setting up logs of its own, which would hide what jobs say."""
