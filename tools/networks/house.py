"""A site of its own in var/networks/: database, store and worker in this process, no queue between them."""

import atexit
import os
import shutil
import time
from typing import Any

from tools.networks.fetching import FOLDER

SILENCE_SECONDS = 180  # of a toolkit; the site's own limit of 600 makes a try of many networks long


def open_house() -> None:
    """Make the site anew and register this process as its worker. Called before anything of the site is imported."""
    folder = FOLDER / f"site-{os.getpid()}"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.setdefault("LAYERWISE_TOOLKIT_SILENCE_SECONDS", str(SILENCE_SECONDS))
    os.environ |= {"LAYERWISE_DATA": str(folder), "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    os.environ.pop("LAYERWISE_DATABASE_URL", None)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    live()


def live() -> None:
    """Give the worker's sign of life, by what its toolkits really say."""
    from dashboard.conversions.offers import TOOLKITS, queue_of
    from dashboard.jobs.services import beat
    from workers import offering, presence

    queues = ["inspect", "compare", *(queue_of(name) for name in TOOLKITS)]
    beat(presence.name(), "worker", queues, offering.told(queues), is_first=True)


def work_off(is_done: Any) -> None:
    """Do every queued job, and what follows from it, until `is_done()`; jobs put back are waited for."""
    from dashboard.jobs.models import ENDED, kinds
    from workers import tasks

    while not is_done():
        live()
        jobs = [job for kind in kinds() for job in kind.objects.to_ring()]
        for job in jobs:
            getattr(tasks, f"{DOES[job.kind]}_task")(job.pk)
        if not jobs:
            if not any(kind.objects.exclude(state__in=ENDED).exists() for kind in kinds()):
                return
            time.sleep(0.2)


DOES = {"inspection": "inspect", "conversion": "convert", "comparison": "compare"}
