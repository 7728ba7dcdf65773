"""Calls of the toolkit: most return 0 or -1, config returns nothing, any may raise or leave the interpreter."""

import inspect
import traceback
from typing import Any, Callable, Dict, Tuple


class Failed(Exception):
    """The toolkit did not do it, and the text is its own; or, with another code, what it was to do is at fault."""

    def __init__(self, text: str, code: str = "toolkit:failed") -> None:
        super().__init__(text)
        self.code = code


def done(what: str, call: Callable[..., Any], *args: Any, **settings: Any) -> Any:
    """Make the call and return what it returned. Raises Failed when it raised, exited, or returned a failure.

    [UG 7: interface calls return 0 or -1 unless noted]
    """
    try:
        answer = call(*args, **settings)
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        raise Failed("%s: %s: %s" % (what, type(error).__name__, str(error).strip()))
    if isinstance(answer, int) and answer != 0:
        raise Failed("%s: it returned %d." % (what, answer))
    return answer


def known(call: Callable[..., Any], settings: Dict[str, Any], optional: Tuple[str, ...]) -> Dict[str, Any]:
    """`settings` without those of `optional` that this version of the toolkit does not know.

    The manuals of 1.7.x disagree about signatures, so the toolkit is asked; compiled calls cannot always tell.
    """
    try:
        parameters = inspect.signature(call).parameters
    except (TypeError, ValueError):
        return settings
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return settings
    return {name: value for name, value in settings.items() if name in parameters or name not in optional}
