"""What processes have used, from /proc."""

import os
import pathlib


def cpu_seconds(pid):
    """So far, with its children, also those that have ended. None for no process."""
    if pid is None:
        return None
    folder = pathlib.Path("/proc") / str(pid)
    children = [child for task in (folder / "task").iterdir() for child in _children(task)]
    fields = _fields(pid)
    ticks = sum(map(int, fields[11:15]))
    for child in children:
        try:
            ticks += sum(map(int, _fields(child)[11:13]))
        except FileNotFoundError:  # between the two looks
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(task):
    try:
        return (task / "children").read_text().split()
    except FileNotFoundError:  # a thread that has ended between the two looks
        return []


def peak_mib(pid):
    """The largest resident set."""
    status = (pathlib.Path("/proc") / str(pid) / "status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def _fields(pid):
    return (pathlib.Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
