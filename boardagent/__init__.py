"""The agent that runs on the board: standard library only, Python 3.6 syntax, sent as one zipapp."""
