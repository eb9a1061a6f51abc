"""Whether a process holds a lock, asked without getting in its way.

A shared lock is tried and given back at once: it never succeeds beside a writer's, so a running process notices
nothing. The file is not made if it is not there.
"""

import fcntl
import os
from pathlib import Path


def is_held(path: Path) -> bool:
    """Whether some process has an exclusive flock(2) on this file; raises OSError if it cannot be opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
