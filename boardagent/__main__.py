"""The agent's verbs: see verbs.py. Old Pythons must parse this page, to be refused.

The folder the agent lies in is its work folder; LAYERWISE_ROOT names another one.
"""

import sys

UNUSABLE = 69


def main(arguments):
    """Do one verb; the exit status."""
    if sys.version_info < (3, 6):
        sys.stderr.write("the agent needs Python 3.6, this is %d.%d\n" % sys.version_info[:2])
        return UNUSABLE
    try:
        if arguments[:1] == ["npu-child"]:  # the agent's own throw-away child
            from boardagent.npu import child

            return child.main(arguments[1:])
        from boardagent import verbs
    except ImportError as error:
        sys.stderr.write("this Python lacks a module the agent needs: %s\n" % error)
        return UNUSABLE
    return verbs.do(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
