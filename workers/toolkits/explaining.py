"""Why a vendor's toolkit failed: its own message found in the error's text or in the noise of its log."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from workers.errors import Died, JobError
from workers.jobfolder import JobFolder
from workers.toolkits.vendor.messages import Found, meaning, meaning_of_lines
from workers.toolkits.vendor.noise import telling

LOOKED_AT = 400  # lines from the end of the log
LONGEST = 4000
# what Python says of mistakes in a program; a tool that refuses a model on purpose says ValueError or RuntimeError
INTERNAL = re.compile(
    r"\b(IndexError|KeyError|AttributeError|TypeError|NameError|UnboundLocalError|AssertionError|ZeroDivisionError"
    r"|RecursionError|UnicodeDecodeError|StopIteration|OverflowError|NotImplementedError|FloatingPointError)\b"
)
REWRITING = re.compile(r"^(\w+): remove node = ")  # RKNN-Toolkit2 tells of each rule that it carried out
VAGUE = ("toolkit:failed", "toolkit:crashed")
# What a died process may turn out to be; a message of any other kind may be older than the death.
DEATHS = ("toolkit:out-of-memory", "toolkit:disk-full", "toolkit:incomplete")


@contextmanager
def explained(folder: JobFolder) -> Iterator[None]:
    """Within it, a vague failure of the toolkit becomes the one that the toolkit's message stands for.

    Only what was written within it is looked at.
    """
    begin = len(folder.log)
    try:
        yield
    except JobError as error:
        if error.code == "toolkit:timed-out":
            raise JobError(
                error.code, _where_it_stood(error, telling(folder.log[begin:][-LOOKED_AT:]))
            ) from error
        if error.code not in VAGUE or isinstance(error, Died):
            raise
        raise explain(error, folder.log[begin:]) from error


def explain(error: JobError, log: Sequence[str]) -> JobError:
    """`error` with the code and the advice of the message behind it, and with the line that says why."""
    lines = telling(log[-LOOKED_AT:])
    found = meaning(error.detail) or meaning_of_lines(lines)
    if found is None and error.code == "toolkit:failed" and INTERNAL.search(error.detail):
        return JobError("toolkit:own-fault", _with_last_line(error, lines))
    if found is None:
        return JobError(error.code, _with_last_line(error, lines))
    if error.code == "toolkit:crashed" and found.message.code not in DEATHS:
        return JobError(error.code, _joined(error, found))
    return JobError(found.message.code, _joined(error, found))


def _joined(error: JobError, found: Found) -> str:
    """What to do, the toolkit's line, and what was known before."""
    seen = "" if found.line in error.detail else f" [{found.line[:1000]}]"
    return f"{error.detail}{seen} {found.message.says}"[-LONGEST:]


def _where_it_stood(error: JobError, lines: Sequence[str]) -> str:
    """With the last words, and what to do when they are of the graph's rewriting, which has no end then."""
    told, rule = _with_last_line(error, lines), REWRITING.match(lines[-1]) if lines else None
    if rule is None:
        return told
    extra = json.dumps({"disable_rules": [rule[1]]})
    return f"{told} It was rewriting its graph, perhaps in a circle: leave the rule out by the recipe's extra, {extra}."


def _with_last_line(error: JobError, lines: Sequence[str]) -> str:
    last = lines[-1] if lines else ""
    return error.detail if not last or last in error.detail else f"{error.detail} [{last[:1000]}]"
