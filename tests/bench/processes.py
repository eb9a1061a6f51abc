"""What a process costs, as the kernel counts it."""

import os
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and all its threads since it began."""
    # The command's name may hold spaces and brackets: what follows its last bracket is in fixed order.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def resident_mb(pid: int) -> float:
    """Its memory, shared pages included, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_MB


def own_mb() -> float:
    """This process' memory without pages of files, in MiB: mapped files take what nobody else needs."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [kib] = (int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
    return kib / 1024
