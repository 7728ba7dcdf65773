"""What a test wants the stand-in to do instead: behave.json beside the package, {"call", "how", "print", "text"}."""

import json
import os
import signal
import sys
import time


def before(call):
    """Misbehave in `call` if that is wanted; what it returns then, None to go on."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "behave.json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        wanted = json.load(file)
    if wanted["call"] != call:
        return None
    sys.stderr.write(wanted.get("print", ""))
    sys.stderr.flush()
    return HOW[wanted["how"]](wanted.get("text", ""))


def raise_it(text):
    raise ValueError(text)


def abort(text):
    os.kill(os.getpid(), signal.SIGABRT)


def hang(text):
    time.sleep(600)


def quit_quietly(text):
    os._exit(0)


HOW = {
    "return -1": lambda text: -1,
    "raise": raise_it,
    "abort": abort,
    "hang": hang,
    "sys.exit": sys.exit,
    "os._exit": quit_quietly,
}
