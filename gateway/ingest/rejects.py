"""Who hears of a message that was refused. Pure. The form of a reject is `contracts.rejects`.

It goes to `rejects.<adapter>` if the message is surely that adapter's: its signature was verified. All else goes to
`rejects.unverified`, so that a stranger cannot fill a department's desk.
"""

from contracts import jws
from contracts.errors import Fault
from contracts.registry.snapshot import Snapshot
from contracts.streams import Stream

# Faults that can only be found once the signature was verified.
_AFTER_SIGNATURE = frozenset(
    (
        "claims_invalid",
        "operation_unknown",
        "sd_alg_mismatch",
        "type_unknown",
        "epoch_revoked",
        "key_out_of_range",
        "key_not_for_stream",
        "issuer_mismatch",
    )
)


def is_senders(code: str, message: bytes, typ: str, stream: Stream, registry: Snapshot) -> bool:
    """For a message without verified claims: whether the stream's own adapter has surely signed it."""
    if code not in _AFTER_SIGNATURE:
        return False
    try:
        signer = registry.signers.get(jws.parse(message.split(b"~", 1)[0], typ).kid)
    except Fault:
        return False
    return signer is not None and signer.adapter.id == stream.adapter
