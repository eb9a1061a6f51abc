"""The access record: one decision as a leaf that anybody may see, and an opening that only the auditor may.

1. The leaf (design: "Access record") is canonical JSON of at most 4 KB and holds nothing personal. A member that
   does not apply is null, so every leaf has the same members.
2. `released` = SHA-256(salt ‖ 0x01 ‖ each released string in answer order, each after its length in 4 bytes,
   big-endian). With no strings it is the digest of the salt and 0x01 alone.
3. The opening holds holder, clerk, terminal, case and record ids (at most 100), the facts that the applicant declared
   (`facts`, only where there are some), and the salt.
   `commit` = SHA-256(salt ‖ 0x00 ‖ canonical opening without salt).
4. Both are salted with 128 bits or more, so that a leaf says nothing about a person once its opening is erased.
5. Digests are written `sha-256:hex`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain

from contracts.encoding import Json, b64url_decode, b64url_encode, canonical, parse_object
from contracts.errors import Fault

VERSION = 1
MAX_LEAF = 4096
MAX_RECORDS = 100
MIN_SALT = 16

_OPENING_NAMES = {"opening", "salt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessFacts:
    """What is known about one decision. None: not known or not applicable (a malformed request, say).

    `time` is milliseconds since 1970 UTC. `fields`: evidence type → names released. `counts`: evidence type → number
    of records released. `feed`: evidence type → state of its feed. The members from `holder` on are personal.
    """

    transaction: str
    time: int
    organisation: str
    unit: str | None
    app: str
    app_key: str
    channel: str | None
    service_item: str | None
    action: str
    evidence_types: Sequence[str]
    decision: str
    reason: str | None
    policy_version: int
    clerk_assurance: str | None
    case_check: str | None
    fields: Mapping[str, Sequence[str]]
    counts: Mapping[str, int]
    feed: Mapping[str, str]
    request_proof: str | None
    visibility: str
    trace: str | None
    holder: Mapping[str, str] | None
    clerk: str | None
    terminal: str | None
    case: str | None
    records: Sequence[str]
    declared: Mapping[str, bool] = field(default_factory=dict)


def record(facts: AccessFacts, released: Sequence[bytes], salt: bytes) -> tuple[bytes, bytes]:
    """The leaf and the opening of one decision; raises `Fault` `record_too_large` and, for a short salt, ValueError.

    `released`: the strings that leave, in answer order.
    """
    if len(salt) < MIN_SALT:
        raise ValueError("a salt has at least 128 bits")
    opening = opening_text(facts.holder, facts.clerk, facts.terminal, facts.case, facts.records, facts.declared)
    leaf = canonical(_members(facts, commit_digest(salt, opening), released_digest(salt, released)))
    if len(leaf) > MAX_LEAF or len(facts.records) > MAX_RECORDS:
        raise Fault("record_too_large")
    return leaf, b'{"opening":' + opening + b',"salt":"' + b64url_encode(salt) + b'"}'


def opening_text(
    holder: Mapping[str, str] | None,
    clerk: str | None,
    terminal: str | None,
    case: str | None,
    records: Sequence[str],
    declared: Mapping[str, bool] | None = None,
) -> bytes:
    """The canonical opening without salt (rule 3): what `commit` is over."""
    members = {"case": case, "clerk": clerk, "holder": holder, "records": records, "terminal": terminal}
    return canonical({**members, "facts": declared} if declared else members)


def released_digest(salt: bytes, released: Sequence[bytes]) -> str:
    """The leaf's `released` (rule 2)."""
    lengths = [len(text).to_bytes(4, "big") for text in released]
    pieces = chain.from_iterable(zip(lengths, released, strict=True))
    return digest_text(sha256(b"".join((salt, b"\x01", *pieces))).digest())


def commit_digest(salt: bytes, opening: bytes) -> str:
    """The leaf's `commit` (rule 3); `opening` is its canonical JSON without the salt."""
    return digest_text(sha256(b"".join((salt, b"\x00", opening))).digest())


def digest_text(digest: bytes) -> str:
    """The written form of a SHA-256 digest (rule 5)."""
    return "sha-256:" + digest.hex()


def split_opening(data: bytes) -> tuple[dict[str, Json], bytes]:
    """The members and the salt of an opening that `record` made; raises `Fault` `json_invalid`."""
    whole = parse_object(data)
    members = whole.get("opening")
    if whole.keys() != _OPENING_NAMES or type(members) is not dict or type(whole["salt"]) is not str:
        raise Fault("json_invalid", detail="not an opening")
    return members, b64url_decode(whole["salt"].encode())


def _members(facts: AccessFacts, commit: str, released: str) -> dict[str, Json]:
    return {
        "action": facts.action,
        "app": facts.app,
        "app_key": facts.app_key,
        "case_check": facts.case_check,
        "channel": facts.channel,
        "clerk_assurance": facts.clerk_assurance,
        "commit": commit,
        "counts": facts.counts,
        "decision": facts.decision,
        "evidence_types": facts.evidence_types,
        "feed": facts.feed,
        "fields": facts.fields,
        "organisation": facts.organisation,
        "policy_version": facts.policy_version,
        "reason": facts.reason,
        "released": released,
        "request_proof": facts.request_proof,
        "service_item": facts.service_item,
        "time": facts.time,
        "trace": facts.trace,
        "transaction": facts.transaction,
        "unit": facts.unit,
        "v": VERSION,
        "visibility": facts.visibility,
    }
