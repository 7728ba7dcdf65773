"""What this worker can convert: its toolkits are probed at its start, its queues and its signs of life say the rest."""

import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dashboard.celery import app
from dashboard.conversions.models import Conversion
from dashboard.conversions.offered import newest_first, registered, workers
from dashboard.conversions.offers import TOOLKITS, queue_of
from dashboard.conversions.recipe import InvalidRecipe
from dashboard.jobs.models import State
from workers.toolkits.base import can_do, toolkits

logger = logging.getLogger(__name__)


def settle(queues: Any) -> None:
    """Probe the toolkits whose queues (Celery's `amqp.queues`) this worker is to serve; serve each version that works.

    A toolkit that does not work is served no longer: its conversions wait for a worker that has it.
    """
    names = _asked_for(queues.consume_from)
    with ThreadPoolExecutor(max_workers=len(TOOLKITS), thread_name_prefix="probe") as threads:
        for name, found in zip(names, threads.map(lambda name: toolkits([name]), names), strict=True):
            for toolkit in found:
                for queue in toolkit.offered.queues:
                    queues.select_add(queue)
                logger.info("offering %s", toolkit.offered.title)
            if not found:
                queues.deselect([queue_of(name)])
                logger.error("this worker was to serve %s, which it does not have", queue_of(name))


def told(queues: Collection[str]) -> dict[str, Any]:
    """What a worker of these queues registers now; an environment that has been deleted is left out."""
    names = _asked_for(queues)
    return registered(toolkit.offered for toolkit in toolkits(names)) if names else {}


def is_for_us(conversion: Conversion) -> bool:
    """Can this worker do it? Not always: a toolkit's queue is served by workers with different versions of it."""
    try:
        return can_do(conversion.recipe.value, conversion.source.format or "")
    except InvalidRecipe:
        return True  # no worker can: it has to end with its reason


def pass_on(conversion: Conversion, worker: str) -> None:
    """Ring for a conversion that this worker cannot do at one that can; when there is none, it waits.

    One that names a version was told of in the only queue there is for it. `worker` is this worker's own name.
    """
    if conversion.state != State.QUEUED:
        return
    recipe, source = conversion.recipe.value, conversion.source.format or ""
    others = [one for other in workers() if other.name != worker for one in other.offers]
    able = [one for one in newest_first(others) if one.serves(recipe, source)]
    if able and not recipe.toolkit_version:
        queue = queue_of(recipe.toolkit, able[0].version, source)
        logger.info("%s is passed on to %s", conversion, queue)
        app.send_task(conversion.task, args=[conversion.pk], queue=queue, retry=False, ignore_result=True)
    else:
        logger.warning("%s is left: this worker cannot do it", conversion)


def _asked_for(queues: Collection[str]) -> list[str]:
    return [name for name in TOOLKITS if queue_of(name) in queues]
