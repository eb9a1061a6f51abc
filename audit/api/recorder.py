"""Each question in the auditors' own log before its answer leaves.

1. One log, open for as long as the process lives; the writer of this process is its only one.
2. The entry is that of `audit.search.own_log`: who, what, how many, over which logs. What an auditor wrote in words
   (why it was asked, a note) is personal at times: it is sealed.
3. What cannot be recorded within `PATIENCE_S` is not shown (`own_log_unavailable`). An error of the log is the end of
   it (`audit.log`, rule 3): whoever runs this process ends it.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from audit.log import AuditLog
from audit.search.own_log import SALT_SIZE, Question, entry_of
from contracts.encoding import Json
from contracts.errors import Fault

PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Recorder:
    """The log of questions. `clock` gives Unix ms."""

    log: AuditLog
    clock: Callable[[], int]

    async def keep(self, question: Question, words: Mapping[str, str] | None = None) -> dict[str, Json]:
        """Record a question with its sealed `words` (rule 2); where it stands. Raises `Fault` (rule 3)."""
        leaf, opening = entry_of(question, self.clock(), words or {}, os.urandom(SALT_SIZE))
        try:
            async with asyncio.timeout(PATIENCE_S):
                position = await self.log.append(leaf, opening)
        except TimeoutError:
            raise Fault("own_log_unavailable") from None
        except Fault as fault:
            raise Fault("question_too_large" if fault.code == "record_too_large" else "own_log_unavailable") from None
        return {"log": self.log.origin, "index": position}
