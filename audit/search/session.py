"""One question of an auditor: the index, the keys, the filters, and the record of it before the answer is shown.

1. People in the question need the keys that the index was made with; without them it is refused, not answered "none".
2. `-` as the value of clerk, case or holder is a line of standard input, in UTF-8 or GB18030, so that it stands in no
   history of commands.
3. Where the index names a log of searches, the question is recorded there first (`own_log`).
4. A question sees one state of the index from beginning to end (a read transaction), whoever follows a log meanwhile:
   what is shown is of the logs and sizes that the record names.
5. What makes the question doubtful (`doubts`) is said on stderr, after the record, whatever the form of the answer.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from audit.record import digest_text
from audit.search import own_log
from audit.search.analysing import text_of
from audit.search.asked import PEOPLE, Asked, filters_of, parse, recorded
from audit.search.database import known_checks, meta, open_index, require, undamaged
from audit.search.doubts import doubts
from audit.search.filters import Filters
from audit.search.query import Index
from audit.search.tokens import TokenKeys, checks, key_id, token_keys
from contracts.edge.keys import load_hpke_private
from contracts.edge.output import warn
from contracts.edge.sqlite_errors import as_system_errors
from contracts.encoding import Json
from contracts.errors import UserError
from contracts.text import Text

OWN_LOG, OWN_LOG_CONFIG = "own log", "own log configuration"

_TWO_KEYS = Text(
    "--key 最多两次:审计员,然后第二位审计员", "--key at most twice: the auditor's, then a second auditor's"
)
_SAME_KEY = Text("两把私钥相同", "Both keys are the same one")
_TWO_PEOPLE = Text("查持证主体须由两位审计员各自提供私钥。", "Holder searches take the keys of two auditors.")


@dataclass(frozen=True, slots=True)
class Session:
    """An index that is asked. `keys` None: no private key was given. `doubts`: rule 5."""

    index: Index
    keys: TokenKeys | None
    auditors: tuple[str, ...]
    asked: Asked
    filters: Filters
    doubts: Sequence[Text]

    def record(
        self, command: str, count: int, more: Mapping[str, Json] | None = None, file: bytes | None = None
    ) -> tuple[str, int] | None:
        """Rule 3: origin and position of the record; `more` than its filters, where that tells what was asked.

        `file`: a list that came with the question, recorded by its digest.

        Raises what `own_log.keep` raises; then nothing may be shown.
        """
        kept = self._keep(command, count, more, file)
        for doubt in self.doubts:
            warn(doubt)
        return kept

    def _keep(
        self, command: str, count: int, more: Mapping[str, Json] | None, file: bytes | None
    ) -> tuple[str, int] | None:
        found = meta(self.index.db)
        if OWN_LOG not in found:
            return None
        logs = [(log.origin, log.size) for log in self.index.logs.values()]
        facts: dict[str, Json] = {**recorded(self.asked, self.filters), **(more or {})}
        question, origin = own_log.Question(command, self.auditors, facts, count, logs), str(found[OWN_LOG])
        sealed = {} if file is None else {"file": digest_text(sha256(file).digest())}
        return origin, own_log.keep(Path(str(found[OWN_LOG_CONFIG])), origin, question, sealed)

    def need(self, *kinds: str) -> TokenKeys:
        """The keys, of all these kinds; raises `UserError` (rule 1)."""
        ours = {} if self.keys is None else checks(self.keys)
        require(known_checks(self.index.db), ours, dict.fromkeys(kinds))
        if self.keys is None:
            raise ValueError("no kind asked for")
        return self.keys


@contextmanager
def session(path: Path, words: Sequence[str], key_paths: Sequence[Path]) -> Iterator[Session]:
    """The question in `words` to the index at `path`; raises `UserError`, OSError."""
    asked = parse([_from_stdin(word) for word in words])
    with closing(open_index(path)) as db, as_system_errors(path), undamaged(path):
        db.execute("BEGIN")  # rule 4; it ends with the connection
        keys, auditors = load_keys(meta(db)["salt"], key_paths)
        require(known_checks(db), {} if keys is None else checks(keys), asked.people)
        index = Index(db)
        log = None if asked.log is None else index.log(asked.log).number
        filters = filters_of(asked, keys, log)
        yield Session(index, keys, auditors, asked, filters, doubts(asked, index.occurs))


def load_keys(salt: object, paths: Sequence[Path]) -> tuple[TokenKeys | None, tuple[str, ...]]:
    """The token keys from one or two private keys, and the ids of these; raises `UserError`."""
    if len(paths) > 2 or not isinstance(salt, bytes):
        raise UserError(_TWO_KEYS)
    private = [load_hpke_private(path) for path in paths]
    if not private:
        return None, ()
    try:
        keys = token_keys(salt, *private)
    except ValueError:
        raise UserError(_SAME_KEY, str(paths[1]), _TWO_PEOPLE) from None
    return keys, tuple(key_id(key) for key in private)


def _from_stdin(word: str) -> str:
    name, _, value = word.partition("=")
    if name not in PEOPLE or value != "-":
        return word
    return f"{name}={text_of(sys.stdin.buffer.readline(), value).strip()}"
