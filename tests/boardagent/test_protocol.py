"""Messages between worker and board: what is one, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boardagent import protocol

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(LETTERS, max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(LETTERS, max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(LETTERS, max_size=10), JSON, max_size=4))
def test_a_message_comes_back_as_it_was(message: dict[str, object]) -> None:
    assert protocol.decode(protocol.encode(message)) == message


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        assert isinstance(protocol.decode(data), dict)
    except protocol.BadMessage as error:
        assert str(error)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1]", "not a JSON object"),
        (b"\xff", "not JSON"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": -Infinity}', "not a number"),
        (b'{"a": 1e999}', "not finite"),
        (b'{"a": 1, "a": 2}', "given twice"),
        (b'{"a": ' + b"[" * 20 + b"]" * 20 + b"}", "nested deeper"),
        (b'{"a": ' + b"[" * 30000, "nested too deeply"),
        (b'{"a": "\\u0000"}', "no text may"),
        (b'{"\\ud800": 1}', "no text may"),
        (b'{"a": "' + b"x" * 70000 + b'"}', "more than"),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(line: bytes, reason: str) -> None:
    with pytest.raises(protocol.BadMessage, match=reason):
        protocol.decode(line)


def test_a_message_without_a_finite_number_is_not_sent() -> None:
    with pytest.raises(protocol.BadMessage):
        protocol.encode({"time": float("inf")})


@given(st.text())
def test_any_text_made_plain_can_be_sent(text: str) -> None:
    message = {"text": protocol.plain(text)}
    assert protocol.decode(protocol.encode(message)) == message


def test_a_message_longer_than_a_line_is_not_sent() -> None:
    with pytest.raises(protocol.BadMessage, match="too long"):
        protocol.encode({"text": "x" * protocol.MAX_LINE})
