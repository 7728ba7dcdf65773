"""The way to a board: commands and files over SSH, and the session that speaks with the agent there."""
