"""How much memory a call takes."""

import ctypes
from collections.abc import Callable
from pathlib import Path


def extra_memory(call: Callable[[], object]) -> float:
    """Peak of the process during a call above what it had before, in MB of 2**20 bytes; Linux only.

    Best in a process of its own, whose peak nothing else has raised.
    """
    ctypes.CDLL(None).malloc_trim(0)  # give back what making the data has left, or it would be used again unseen
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _peak()
    call()
    return (_peak() - before) / 2**20


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])
