"""Where a worker goes when a board has a name: only into networks that may hold boards."""

import pytest

from dashboard.boards.models import Board
from workers.errors import JobError, Temporary
from workers.steps.run import whereabouts


def test_a_name_becomes_the_number_behind_it():
    assert whereabouts(Board(address="localhost", port=22)) == "127.0.0.1"


def test_a_name_that_leads_outside_the_networks_is_not_followed(settings):
    settings.BOARD_NETWORKS = ["10.0.0.0/8"]
    with pytest.raises(JobError, match="LAYERWISE_BOARD_NETWORKS"):
        whereabouts(Board(address="localhost", port=22))


@pytest.mark.parametrize("address", ["no-such-board.invalid", "a" * 70 + ".invalid", "a..b"])
def test_a_name_that_nobody_knows_is_tried_again_later(address):
    with pytest.raises(Temporary):
        whereabouts(Board(address=address, port=22))
