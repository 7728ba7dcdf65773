"""The forum's network by both routes, as the example makes it."""

import pytest

from examples import network
from tests.lint.nets import RV1126, RV1126B, found


@pytest.fixture(scope="module")
def routes():
    weights = network.load_weights()
    return {"direct": network.direct(weights), "traced": network.traced(weights)}


def test_for_rv1126_the_direct_route_is_told_to_be_slow_and_right(routes) -> None:
    finding = found(routes["direct"], RV1126)["pixel-shuffle"]
    assert finding.layer == "/upsampler/DepthToSpace"
    assert "came out right" in finding.text


def test_for_rv1126_the_traced_route_is_told_to_give_wrong_pictures(routes) -> None:
    finding = found(routes["traced"], RV1126)["pixel-shuffle"]
    assert finding.layer == "pixel_shuffle_to_permute_1_at_120"
    assert "wrong" in finding.text


def test_for_rv1126b_both_routes_become_the_same_layer(routes) -> None:
    texts = [found(routes[route], RV1126B)["rewritten"].text for route in ("direct", "traced")]
    assert all("ConvTranspose on the NPU" in text for text in texts)


def test_for_rv1126b_nothing_is_in_the_way(routes) -> None:
    severities = {str(one.severity) for route in routes.values() for one in found(route, RV1126B).values()}
    assert severities == {"note"}
