"""How much memory a process has needed."""

from pathlib import Path


def peak_kb(pid: int) -> int:
    """The most memory that a process has had resident, in KB; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")), 0)
