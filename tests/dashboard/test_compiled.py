"""What a toolkit made of a source's graph, summed up."""

from dashboard.conversions.compiled import is_same_graph, summary
from dashboard.conversions.models import Artifact


def facts(*layers: str, rules: tuple[str, ...] = ()):
    rows = [{"op": op, "name": f"{op} {place}", "output_shape": "(1,3)"} for place, op in enumerate(layers)]
    return {"layers": rows, "rewrites": [{"rule": rule} for rule in rules]}


def made(*layers: str) -> Artifact:
    return Artifact(compiled=summary(facts(*layers)))


def test_rules_are_counted():
    assert summary(facts("Conv", rules=("b", "a", "b")))["rules"] == {"a": 1, "b": 2}


def test_operators_are_counted():
    assert summary(facts("Conv", "Relu", "Conv"))["operators"] == {"Conv": 2, "Relu": 1}


def test_what_no_database_stores_is_left_out():
    assert summary(facts("Co\0nv", rules=("a\ud800",)))["rules"] == {"a": 1}


def test_facts_without_layers_sum_up_to_nothing():
    assert summary({"layers": "odd", "rewrites": 7}) == {}


def test_names_do_not_make_another_graph():
    renamed = facts("Conv", "Relu")
    for row in renamed["layers"]:
        row["name"] = "17"
    assert summary(renamed)["graph"] == summary(facts("Conv", "Relu"))["graph"]


def test_two_sources_that_became_the_same_are_told():
    assert is_same_graph([made("Conv", "Relu"), made("Conv", "Relu")])


def test_another_order_is_another_graph():
    assert not is_same_graph([made("Conv", "Relu"), made("Relu", "Conv")])


def test_nothing_is_said_of_sources_that_nobody_knows_the_graph_of():
    assert not is_same_graph([Artifact(), Artifact()])


def test_one_source_is_no_comparison():
    assert not is_same_graph([made("Conv")])
