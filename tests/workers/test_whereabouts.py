"""Where a worker goes when a board has a name: only into networks that may hold boards."""

import pytest

from workers.errors import JobError, Temporary
from workers.whereabouts import whereabouts


def test_a_name_becomes_the_number_behind_it():
    assert whereabouts("localhost", 22) == "127.0.0.1"


def test_a_name_that_leads_outside_the_networks_is_not_followed(settings):
    settings.BOARD_NETWORKS = ["10.0.0.0/8"]
    with pytest.raises(JobError, match="LAYERWISE_BOARD_NETWORKS"):
        whereabouts("localhost", 22)


def test_where_a_forbidden_name_led_is_not_told(settings):
    settings.BOARD_NETWORKS = ["10.0.0.0/8"]
    with pytest.raises(JobError) as refused:
        whereabouts("localhost", 22)
    assert "127.0.0.1" not in refused.value.detail


def test_a_name_that_nobody_knows_is_tried_again_later():
    with pytest.raises(Temporary):
        whereabouts("no-such-board.invalid", 22)


@pytest.mark.parametrize("address", ["a" * 70 + ".invalid", "a..b", "-a", "2130706433"])
def test_what_is_no_address_is_not_tried_again(address):
    with pytest.raises(JobError) as refused:
        whereabouts(address, 22)
    assert not isinstance(refused.value, Temporary)
