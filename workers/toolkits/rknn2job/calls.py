"""Calls of the vendor's interface: some raise, some return -1, and the cause is the last line of a long text."""

import json
import re
from collections.abc import Callable
from typing import Any

from workers.toolkits.onnxjob.jobside import Refused
from workers.toolkits.vendor.messages import meaning
from workers.toolkits.vendor.noise import cause

# a frame of the toolkit's traceback: its rules are functions called _p_<rule>; config(disable_rules) takes the name
RULE = re.compile(r"\bin rknn\.api\.rules\.[\w.]+\._p_(\w+)")


def done(what: str, call: Callable[..., Any], *args: Any, **settings: Any) -> Any:
    """Make the call and return what it returned. Raises Refused when it raised or returned a failure."""
    try:
        answer = call(*args, **settings)
    except (Exception, SystemExit) as error:
        raise refusal(what, f"{type(error).__name__}: {error}") from error
    if isinstance(answer, int) and answer != 0:
        raise refusal(what, f"it returned {answer} without a reason; the log has its last words")
    return answer


def refusal(what: str, text: str) -> Refused:
    """The named failure behind the toolkit's text; without a known message the worker looks into the log as well."""
    found = meaning(text)
    rule = RULE.findall(text)
    if found is None and rule:
        extra = json.dumps({"disable_rules": [rule[-1]]})
        says = f"Its own rewriting rule {rule[-1]} fails: leave that rule out by the recipe's extra, {extra}."
        return Refused("toolkit:own-fault", f"{what}: {cause(text)}. {says}")
    if found is None:
        return Refused("toolkit:failed", f"{what}: {cause(text)}")
    return Refused(found.message.code, f"{what}: {found.line} {found.message.says}")
