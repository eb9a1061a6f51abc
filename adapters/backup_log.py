"""What the log still knows and an outbox from a backup does not: erasures, and how high epochs have come.

1. Erasures are told by their keys, which anybody reads. A wrong one closes a record that `readmit` opens again.
2. An epoch is believed of our own statements only: sealed with a feed key that the outbox holds, signed with our key.
   Others say nothing, so nobody who can write into the topic can push our numbers up.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.outbox import Outbox
from adapters.outbox_tables import StreamState
from contracts import feeds, jws
from contracts.algorithms import VerifyKey
from contracts.edge.transport import Transport
from contracts.encoding import b64url_decode, parse_object
from contracts.errors import Fault
from contracts.messages import ERASED_PREFIX
from contracts.streams import Stream

READ_AT_ONCE = 1000
_PREFIX = ERASED_PREFIX.encode()
_STATEMENTS = (feeds.KEY, feeds.FULL_KEY)


class OwnStatements:
    """Reads the epochs of a stream's own statements (rule 2)."""

    def __init__(self, outbox: Outbox, state: StreamState, stream: Stream, key: VerifyKey) -> None:
        self.stream, self._key = stream, key
        with outbox.looking() as db:
            rows = db.execute("SELECT header, secret FROM feed_keys WHERE stream = ?", (state.id,))
            self._secrets: dict[bytes, bytes] = dict(rows)

    def epoch(self, value: bytes) -> int:
        """The epoch of a statement as it stands on the log; 0 if it is not ours or cannot be read."""
        try:
            payload = parse_object(jws.parse(self._open(value), feeds.TYP).verified_payload(self._key))
        except (Fault, InvalidTag, ValueError, KeyError):
            return 0
        stream = Stream(*(str(payload.get(name)) for name in ("iss", "adp", "type")))
        epoch = payload.get("epoch")
        return epoch if stream == self.stream and type(epoch) is int else 0

    def _open(self, value: bytes) -> bytes:
        header, _, iv, text, mark = value.split(b".")
        return AESGCM(self._secrets[header]).decrypt(
            b64url_decode(iv), b64url_decode(text) + b64url_decode(mark), header
        )


def read_log(log: Transport, ours: OwnStatements, advance: Callable[[int], None]) -> tuple[set[str], int]:
    """The records that the log says were erased, and the highest epoch of our statements, 0 without any.

    Raises `TopicUnknown`, `LogUnavailable`.
    """
    topic, erased, highest = ours.stream.topic, set[str](), 0
    with log.reader() as reader:
        reader.assign({topic: reader.earliest(topic)})
        end = reader.end(topic)
        while reader.position(topic) < end:
            records = reader.read(READ_AT_ONCE, 1.0)
            for record in records:
                if record.key.startswith(_PREFIX):
                    erased.add(record.key.removeprefix(_PREFIX).decode("utf-8", "replace"))
                elif record.key in _STATEMENTS and record.value is not None:
                    highest = max(highest, ours.epoch(record.value))
            advance(len(records))
    return erased, highest
