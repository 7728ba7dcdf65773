"""The code inside a TorchScript file, scanned as text: which module calls which operator, with which plain arguments.

Nothing is run and no pickle is loaded. torch.jit.save writes a file of classes for each Python module; a class names
the modules that it holds, and its functions call operators as torch.<operator>(...).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

MOST_CALLS = 5000
MOST_MODULES = 20000
MOST_ARGUMENTS = 12
MOST_NUMBERS = 16
DEEPEST = 64
LONGEST_CALL = 4000  # characters of one call that are looked at
CLASS = re.compile(r"^class (\w+)\(Module\):$", re.MULTILINE)
TOP = re.compile(r"^(?:class|def) ", re.MULTILINE)
HELD = re.compile(r'^  (?:(\w+) : |__annotations__\["([^"]{1,200})"\] = )(__torch__\.[\w.]+)$', re.MULTILINE)
CALL = re.compile(r"\btorch\.([a-z_][a-z_0-9]*)\(")
NUMBER = re.compile(r"-?\d{1,18}\Z")
Literal = int | bool | None | list[int]


@dataclass(frozen=True)
class Call:
    """A call of an operator; `where` is the path of the module in the network, `arguments` holds None for what is no
    plain number, truth value or list of numbers."""

    where: str
    operator: str
    arguments: tuple[Literal, ...]


def calls_of(files: Mapping[str, str], outermost: str) -> Iterator[Call]:
    """The calls of the module `outermost` (a qualified class name) and of those that it holds, then those of the
    functions that stand by themselves. `files` maps "__torch__.a.b" to the text of code/__torch__/a/b.py.
    """
    classes = {f"{name}.{word}": body for name, text in files.items() for word, body in _classes(text)}
    for where, name in islice(_modules(classes, "", outermost), MOST_MODULES):
        yield from _in(classes[name], where)
    for name, text in files.items():
        for function, body in _functions(text):
            yield from _in(body, f"{name.rpartition('.')[2]}.{function}")


def _modules(classes: Mapping[str, str], where: str, name: str) -> Iterator[tuple[str, str]]:
    """The path and the class of the module `name` and of all that it holds, outer ones first."""
    if name not in classes or where.count(".") >= DEEPEST:
        return
    yield where, name
    for plain, quoted, held in HELD.findall(classes[name]):
        yield from _modules(classes, f"{where}.{plain or quoted}".removeprefix("."), held)


def _in(body: str, where: str) -> Iterator[Call]:
    for found in CALL.finditer(body):
        yield Call(where, found[1], _arguments(body[found.end() : found.end() + LONGEST_CALL]))


def _classes(text: str) -> Iterator[tuple[str, str]]:
    for start, end in _parts(text):
        if head := CLASS.match(text, start):
            yield head[1], text[start:end]


def _functions(text: str) -> Iterator[tuple[str, str]]:
    for start, end in _parts(text):
        if text.startswith("def ", start):
            yield text[start + 4 : end].partition("(")[0][:200], text[start:end]


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Where each class and each function of a file begins and ends."""
    starts = [found.start() for found in TOP.finditer(text)]
    return zip(starts, [*starts[1:], len(text)], strict=True)


def _arguments(text: str) -> tuple[Literal, ...]:
    """What stands before the parenthesis that ends the call."""
    found: list[Literal] = []
    depth, begin = 0, 0
    for at, letter in enumerate(text):
        if letter in "([":
            depth += 1
        elif letter in ")]" and depth:
            depth -= 1
        elif depth == 0 and letter in ",)":
            found.append(_literal(text[begin:at].strip()))
            begin = at + 1
            if letter == ")" or len(found) == MOST_ARGUMENTS:
                break
    return tuple(found)


def _literal(text: str) -> Literal:
    if text in ("True", "False"):
        return text == "True"
    if NUMBER.match(text):
        return int(text)
    if text.startswith("[") and text.endswith("]"):
        numbers = [number.strip() for number in text[1:-1].split(",")]
        if len(numbers) <= MOST_NUMBERS and all(NUMBER.match(number) for number in numbers):
            return [int(number) for number in numbers]
    return None
