"""Processor time and memory of processes, from /proc."""

import os
import pathlib


def cpu_seconds(pid):
    """Processor time of the process and its children so far, including children that have ended. None if `pid` is None."""
    if pid is None:
        return None
    folder = pathlib.Path("/proc") / str(pid)
    children = [child for task in (folder / "task").iterdir() for child in _children(task)]
    fields = _fields(pid)
    ticks = sum(map(int, fields[11:15]))
    for child in children:
        try:
            ticks += sum(map(int, _fields(child)[11:13]))
        except FileNotFoundError:  # the child has ended since it was listed
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(task):
    try:
        return (task / "children").read_text().split()
    except FileNotFoundError:  # the thread has ended since it was listed
        return []


def peak_mib(pid):
    """Largest resident set size so far, in MiB."""
    status = (pathlib.Path("/proc") / str(pid) / "status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def _fields(pid):
    return (pathlib.Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
