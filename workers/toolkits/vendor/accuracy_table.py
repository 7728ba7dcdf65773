"""The text tables of `accuracy_analysis`: toolkit2's error_analysis.txt and the *_error_analysis.txt of 1.x.

Toolkit2 prints columns that may run together, so numbers are told apart by their digits (a cosine is d.ddddd), and
leaves rows of fused layers blank. 1.x separates by tabs, with a data type column since 1.7.3, and names each number.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

LONGEST_LINE = 4000
MOST_ROWS = 100_000
ANSI = re.compile(r"\x1b\[[0-9;]*m")
ZERO = r"[a-z]+_zero"  # in place of a number where a tensor is all zero: "f_zero" was seen (2.5.0)
COSINE = rf"(-?\d\.\d{{5}}|nan|{ZERO})"
# 2.5.0 prints five decimals, 2.3.2 about five significant digits; a distance ends where the next cosine begins.
DISTANCE = rf"(\d+\.\d{{1,5}}?|\d+e[+-]\d+|inf|nan|{ZERO})"
LAST_DISTANCE = rf"(\d+\.\d+?|\d+e[+-]\d+|inf|nan|{ZERO})"
# a connected board adds pairs of its own (runtime_error) behind those of the simulator, which come first
MORE = r"(?:\s*(?:-?\d\.\d{5}|nan) \| (?:\d+\.\d+?|\d+e[+-]\d+|inf|nan))*"
PAIRS = re.compile(rf"\s{COSINE} \|\s+{DISTANCE}\s*{COSINE} \|\s+{LAST_DISTANCE}{MORE}\s*$")
TABLE = re.compile(r"^\s*layer_name\s+simulator_error\b")
HEAD = re.compile(r"^\[(?P<op>\w+)\] (?P<name>\S.*?)\s*$")
FIELD = re.compile(r"^(\w+)=(\S+)$")


@dataclass(frozen=True)
class AccuracyRow:
    """One layer of a table. `entire` and `single` map the vendor's words (cos, euc, cosine_norm, eculidean_norm) to
    numbers: the whole quantized chain, and the layer alone on float inputs. Empty: the layer was fused away, or is all
    zero.
    `printed` maps "entire" and "single" to the same words with each number's text: that tells how many digits it has.
    """

    name: str
    op: str
    dtype: str
    entire: Mapping[str, float]
    single: Mapping[str, float]
    printed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class NoTable(ValueError):
    """The text is no table of `accuracy_analysis`."""


def read_accuracy_table(text: str) -> list[AccuracyRow]:
    """The rows of a table in the order in which they are printed. Raises NoTable."""
    lines = [ANSI.sub("", line[:LONGEST_LINE]) for line in text.splitlines()[:MOST_ROWS]]
    rows = list(_toolkit1(lines) if any("_norm=" in line for line in lines) else _toolkit2(lines))
    if not any(row.printed for row in rows):
        raise NoTable("no row of an accuracy table was found")
    return rows


def _toolkit2(lines: list[str]) -> Iterator[AccuracyRow]:
    """Rows behind the last heading; without one, wherever they stand. Other lines of a log are passed over."""
    headings = [number for number, line in enumerate(lines) if TABLE.match(line)]
    for line in lines[headings[-1] if headings else 0 :]:
        numbers = PAIRS.search(line)
        head = HEAD.match(line[: numbers.start()] if numbers else line)
        if head is None:
            continue
        words = numbers.groups() if numbers else ()
        entire, single = (_told(part) for part in (words[:2], words[2:]))
        yield AccuracyRow(
            name=head["name"],
            op=head["op"],
            dtype="",
            entire=_numbers(entire),
            single=_numbers(single),
            printed={"entire": entire, "single": single} if numbers else {},
        )


def _toolkit1(lines: list[str]) -> Iterator[AccuracyRow]:
    for line in lines:
        name, *rest = (word.strip() for word in line.split("\t"))
        fields = [FIELD.match(word) for word in rest]
        words = [word for word, field in zip(rest, fields, strict=True) if word and field is None]
        printed = {field[1]: field[2] for field in fields if field and _is_number(field[2])}
        if name and printed:
            yield AccuracyRow(
                name=name,
                op="",
                dtype=words[0] if words else "",
                entire=_numbers(printed),
                single={},
                printed={"entire": printed},
            )


def _told(words: Sequence[str]) -> dict[str, str]:
    """What stands for a number there, by its name."""
    return {name: word for name, word in zip(("cos", "euc"), words, strict=False) if _is_number(word)}


def _numbers(printed: Mapping[str, str]) -> dict[str, float]:
    return {word: float(text) for word, text in printed.items()}


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
