"""A writer process to be killed: `python -m tests.integration.audit_writer DIR`.

Appends without end, 64 at a time, and writes each acknowledged index to stdout, one a line, after the acknowledgement.
"""

import asyncio
import os
import sys
from pathlib import Path

from audit.log import AuditLog, Limits
from tests.integration.audit_support import entry, opening, settings

LIMITS = Limits(publish_seconds=0.02, segment_bytes=200_000)


async def _worker(log: AuditLog, worker: int) -> None:
    for turn in range(10**9):
        number = turn * 64 + worker
        index = await log.append(entry(number), opening(number))
        os.write(1, b"%d %d\n" % (index, number))


async def _run(directory: Path) -> None:
    log = AuditLog.open(settings(directory, limits=LIMITS), lambda _: os._exit(70))
    await asyncio.gather(*(_worker(log, worker) for worker in range(64)))


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
