"""Correction requests (纠错申请): a clerk's "this data is wrong", from a node to the department that supplies it. Pure.

1. A request is a JWS (`typ` `correction+jwt`) of the node on the topic `requests.<adapter>`, keyed by its id. It names
   the record, its newest message that the node had (`identity`), the fields and a reason of `REASONS`. Nothing personal
   is in it: a record id is opaque, and there is no free text, in which a clerk would sooner or later write a name.
2. The department answers by publishing the record anew; any newer message of the record is an answer. Or it says that
   the data is right (`KEPT`): a JWS (`typ` `correction-reply+jwt`) of the adapter on `replies.<node>`, keyed by the id.
3. Both may come twice; the id tells. Who reads one pins the keys of those who may sign it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from contracts import jws
from contracts.algorithms import SigningKey, VerifyKey
from contracts.encoding import Json, canonical, parse_object
from contracts.errors import Fault
from contracts.streams import Stream
from contracts.text import Text

TYP: Final = "correction+jwt"
REPLY_TYP: Final = "correction-reply+jwt"
REASONS: Final[Mapping[str, Text]] = {
    "wrong_value": Text("内容有误", "a value is wrong"),
    "outdated": Text("内容已过时", "it is out of date"),
    "not_this_holder": Text("不是该持证主体的证照", "it is not this holder's"),
    "missing": Text("内容缺失", "something is missing"),
    "other": Text("其他", "something else"),
}
KEPT: Final = "kept"  # the data is right
MAX_FIELDS: Final = 64
_MAX: Final = 64 * 1024


class Correction(NamedTuple):
    """A request. `asked_at` and `due_at` in Unix ms; `fields` may be empty: the record as a whole."""

    id: str
    node: str
    organisation: str
    adapter: str
    evidence_type: str
    record: str
    identity: str
    fields: tuple[str, ...]
    reason: str
    service_item: str
    asked_at: int
    due_at: int

    @property
    def stream(self) -> Stream:
        return Stream(self.organisation, self.adapter, self.evidence_type)


class Reply(NamedTuple):
    """What a department says of a request. `at` in Unix ms."""

    id: str
    organisation: str
    adapter: str
    answer: str
    at: int


def requests_topic(adapter: str) -> str:
    """Where a department reads what it is asked."""
    return f"requests.{adapter}"


def replies_topic(node: str) -> str:
    """Where a node reads what departments say."""
    return f"replies.{node}"


def seal_request(correction: Correction, key: SigningKey) -> bytes:
    """Rule 1; `key` is the node's."""
    return jws.sign(TYP, canonical(to_json(correction)), key)


def to_json(correction: Correction) -> dict[str, Json]:
    return {**correction._asdict(), "fields": list(correction.fields)}


def from_json(form: Mapping[str, Json]) -> Correction:
    """The inverse of `to_json`; raises `Fault` `claims_invalid`."""
    members = _members(form, Correction)
    fields = members.pop("fields")
    if type(fields) is not list or len(fields) > MAX_FIELDS or not all(type(name) is str for name in fields):
        raise Fault("claims_invalid", "/fields")
    return Correction(**members, fields=tuple(fields))


def open_request(data: bytes, nodes: Mapping[str, tuple[str, VerifyKey]]) -> Correction:
    """The verified request; `nodes` by key id: a node's name and key. Raises `Fault`."""
    node, payload = _opened(data, TYP, nodes)
    found = from_json(payload)
    if found.node != node:
        raise Fault("issuer_mismatch", "/node")
    return found


def seal_reply(reply: Reply, key: SigningKey) -> bytes:
    """Rule 2; `key` is the adapter's."""
    return jws.sign(REPLY_TYP, canonical(reply._asdict()), key)


def open_reply(data: bytes, adapters: Mapping[str, tuple[str, VerifyKey]]) -> Reply:
    """The verified reply; `adapters` by key id: an adapter's name and key. Raises `Fault`."""
    adapter, payload = _opened(data, REPLY_TYP, adapters)
    found = Reply(**_members(payload, Reply))
    if found.adapter != adapter:
        raise Fault("issuer_mismatch", "/adapter")
    if found.answer != KEPT:
        raise Fault("claims_invalid", "/answer")
    return found


def _opened(data: bytes, typ: str, keys: Mapping[str, tuple[str, VerifyKey]]) -> tuple[str, dict[str, Json]]:
    if len(data) > _MAX:
        raise Fault("message_too_large")
    compact = jws.parse(data, typ)
    known = keys.get(compact.kid)
    if known is None:
        raise Fault("key_unknown")
    return known[0], parse_object(compact.verified_payload(known[1]))


def _members(form: Mapping[str, Json], kind: type[Correction] | type[Reply]) -> dict[str, Json]:
    kinds = {name: int if name in {"asked_at", "due_at", "at"} else str for name in kind._fields if name != "fields"}
    if form.keys() != set(kind._fields) or any(type(form[name]) is not one for name, one in kinds.items()):
        raise Fault("claims_invalid")
    return dict(form)
