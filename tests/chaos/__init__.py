"""Work with known right answers, done while processes are killed at random: `python -m tests.chaos`."""
