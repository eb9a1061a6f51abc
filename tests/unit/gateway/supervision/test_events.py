"""Entry → event, the fold of notices, and which transitions are told: values alone."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from audit import notices
from audit.merkle import leaf_hash
from audit.notices import Notice
from contracts import cloud_events, webhooks
from contracts.algorithms import SigningKey
from contracts.encoding import canonical
from contracts.errors import Fault
from contracts.streams import Stream
from gateway.doctor import supervision
from gateway.ingest.state import CATCHING_UP, COMPLETE, GAPPED, STALE, STOPPED, FeedState
from gateway.supervision.events import event_of, heartbeat_of, source_of
from gateway.supervision.lateness import Patience, transitions
from gateway.supervision.places import Place
from gateway.supervision.seen import Seen, Span, changes, folded
from gateway.supervision.settings import Webhook, is_https

ORIGIN = "gov.example/oncegate/slot-1"
NOW = 1_770_000_000_123
ONE, TWO = Stream("market", "market-1", "cn.a"), Stream("market", "market-1", "cn.b")


def leaf(**changes: Any) -> bytes:
    return canonical({"action": "lookup", "decision": "granted", "time": NOW, "reason": None, **changes})


def notice(kind: str, **facts: Any) -> bytes:
    return Notice(kind, NOW, facts).encode()


def feed(kind: str, stream: Stream, state: str) -> bytes:
    names = {"organisation": stream.organisation, "adapter": stream.adapter, "evidence_type": stream.evidence_type}
    return notice(kind, **names, state=state, as_of=1)


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (leaf(), "oncegate.access.granted.v1"),
        (leaf(decision="refused"), "oncegate.access.refused.v1"),
        (leaf(action="correction"), "oncegate.correction.v1"),
        (leaf(action="correction", decision="refused"), "oncegate.access.refused.v1"),
        (leaf(decision="perhaps"), "oncegate.log.entry.v1"),
        (notice(notices.SUPERVISION_ON, sinks=["a"]), "oncegate.supervision.on.v1"),
        (notice(notices.SUPERVISION_OFF, sinks=["a"]), "oncegate.supervision.off.v1"),
        (feed(notices.FEED_LATE, ONE, STALE), "oncegate.feed.late.v1"),
        (feed(notices.FEED_RECOVERED, ONE, COMPLETE), "oncegate.feed.recovered.v1"),
        (notice(notices.LOG_CLOSED, successor="s"), "oncegate.log.log_closed.v1"),
        (b"[]", "oncegate.log.entry.v1"),
        (b"no JSON", "oncegate.log.entry.v1"),
        (b'{"time":"noon"}', "oncegate.log.entry.v1"),
    ],
)
def test_each_entry_is_one_event(entry: bytes, kind: str) -> None:
    event = json.loads(event_of(ORIGIN, 41, entry))
    assert (event["type"], event["id"], event["source"]) == (kind, f"{ORIGIN}#41", f"urn:oncegate:log:{ORIGIN}")
    assert event["data"]["leaf_hash"] == "sha-256:" + leaf_hash(entry).hex()
    if event["data"]["entry"] is not None:
        assert canonical(event["data"]["entry"]) == entry
        assert event["time"] == "2026-02-02T02:40:00.123Z"


@given(st.binary(max_size=200))
def test_whatever_is_in_the_log_makes_an_event(entry: bytes) -> None:
    assert json.loads(event_of(ORIGIN, 0, entry))["specversion"] == "1.0"


def test_a_heartbeat_is_a_little_event_of_its_own() -> None:
    event = json.loads(heartbeat_of(ORIGIN, 7, "检查点\n".encode(), NOW))
    assert (event["id"], event["data"]["size"]) == (f"{ORIGIN}#7@{NOW}", 7)
    assert event["data"]["checkpoint"] == "检查点\n"
    assert source_of("a b%c") == "urn:oncegate:log:a%20b%25c"


def test_a_signed_batch_opens_under_the_keys_that_are_believed_alone() -> None:
    key, other = SigningKey.generate("ES256"), SigningKey.generate("ES256")
    token = cloud_events.seal(cloud_events.batch([event_of(ORIGIN, 0, leaf()), event_of(ORIGIN, 1, leaf())]), key)
    believed = {key.kid: key.public}
    assert [one["id"] for one in cloud_events.open_batch(token, believed)] == [f"{ORIGIN}#0", f"{ORIGIN}#1"]
    head, _, signature = token.split(b".")
    forged = b".".join((head, token.split(b".")[1][:-4] + b"AAAA", signature))
    for bad, keys in ((token, {other.kid: other.public}), (forged, believed)):
        with pytest.raises(Fault):
            cloud_events.open_batch(bad, keys)
    for body in (
        b"{}",
        b"[1]",
        b'[{"specversion":"1.0"}]',
        b'[{"specversion":"0.3","id":"a","source":"b","type":"c"}]',
    ):
        with pytest.raises(Fault, match="claims_invalid"):
            cloud_events.open_batch(cloud_events.seal(body, key), believed)


# --- Standard Webhooks -----------------------------------------------------------------------------------------------


def test_the_symmetric_signature_is_that_of_the_reference_implementation() -> None:
    """The vector of the reference libraries' own tests."""
    secret = webhooks.read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = webhooks.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [webhooks.hmac_sha256(secret)]
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_both_signatures_stand_side_by_side_and_the_asymmetric_one_verifies() -> None:
    key = SigningKey.generate("EdDSA")
    found = webhooks.headers("msg_1", 5, b"body", [webhooks.ed25519(key), webhooks.hmac_sha256(bytes(24))])
    asymmetric, symmetric = found["webhook-signature"].split(" ")
    assert (asymmetric[:4], symmetric[:3]) == ("v1a,", "v1,")
    public = webhooks.public_text(key.public)
    raw = base64.b64decode(public.removeprefix("whpk_"), validate=True)
    Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(asymmetric[4:]), b"msg_1.5.body")


def test_ids_keys_and_secrets_of_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="full stop"):
        webhooks.headers("a.b", 1, b"", [webhooks.hmac_sha256(b"")])
    with pytest.raises(Fault, match="alg_mismatch"):
        webhooks.ed25519(SigningKey.generate("ES256"))
    short, long = (base64.b64encode(bytes(size)).decode() for size in (23, 65))
    for text in ("", "whsec_", f"whsec_{short}", f"whsec_{long}", base64.b64encode(bytes(32)).decode(), "whsec_!"):
        with pytest.raises(Fault, match="key_invalid"):
            webhooks.read_secret(text)
    assert webhooks.message_id(b"a") == webhooks.message_id(b"a") != webhooks.message_id(b"b")


# --- what the log says -----------------------------------------------------------------------------------------------


def test_the_log_says_what_is_on_and_since_when() -> None:
    entries = [
        leaf(),
        notice(notices.SUPERVISION_ON, sinks=["topic", "hook"]),
        leaf(),
        notice(notices.SUPERVISION_OFF, sinks=["hook", "on in the log before"]),
    ]
    seen = folded(Seen(), entries)
    assert seen.sinks == {"topic": Span(1), "hook": Span(1, 3, NOW), "on in the log before": Span(3, 3, NOW)}
    assert (seen.on, seen.size) == (("topic",), 4)
    assert changes(seen, ("hook", "topic")) == ((), ("hook",))
    assert changes(seen, ()) == (("topic",), ())
    again = folded(seen, [notice(notices.SUPERVISION_ON, sinks=["hook"])])
    assert again.sinks["hook"] == Span(4)


def test_what_was_seen_can_be_kept_and_folded_on() -> None:
    entries = [feed(notices.FEED_LATE, ONE, STALE), feed(notices.FEED_LATE, TWO, GAPPED)]
    entries += [notice(notices.SUPERVISION_ON, sinks=["a"]), feed(notices.FEED_RECOVERED, ONE, COMPLETE)]
    for cut in range(len(entries) + 1):
        kept = Seen.from_json(json.loads(canonical(folded(Seen(), entries[:cut]).to_json())))
        assert folded(kept, entries[cut:]) == folded(Seen(), entries)
    assert folded(Seen(), entries).late == {TWO: GAPPED}


@pytest.mark.parametrize(
    ("before", "state", "told"),
    [
        (None, COMPLETE, None),
        (None, CATCHING_UP, None),
        (None, STALE, notices.FEED_LATE),
        (STALE, STALE, None),
        (STALE, GAPPED, notices.FEED_LATE),
        (GAPPED, STOPPED, notices.FEED_LATE),
        (STOPPED, CATCHING_UP, None),
        (STALE, COMPLETE, notices.FEED_RECOVERED),
    ],
)
def test_each_transition_is_told_once(before: str | None, state: str, told: str | None) -> None:
    late = {} if before is None else {ONE: before}
    states = [(ONE, FeedState(state, 5, 0))]
    found = [one for _, one in transitions(late, states, {}, Patience(), NOW)]
    assert [one.kind for one in found] == ([] if told is None else [told])
    after = folded(Seen(late=late), [one.encode() for one in found])
    assert not list(transitions(after.late, states, {}, Patience(), NOW))


@pytest.mark.parametrize(
    ("before", "overdue", "waited", "told"),
    [
        (None, True, 599, []),  # the node itself may be behind
        (None, True, 600, [STALE]),  # ended in the middle of a new epoch
        (STALE, True, 86_400, []),
        (None, False, 86_399, []),
        (None, False, 86_400, [CATCHING_UP]),  # never came, or no full statement of it ever matches
        (CATCHING_UP, False, 0, []),  # after a restart
        (STALE, False, 86_400, [CATCHING_UP]),
    ],
)
def test_a_feed_that_catches_up_without_end_is_late(
    before: str | None, overdue: bool, waited: float, told: list[str]
) -> None:
    late = {} if before is None else {ONE: before}
    found = transitions(late, [(ONE, FeedState(CATCHING_UP, None, 0, overdue))], {ONE: waited}, Patience(), NOW)
    assert [(one.kind, one.facts["state"]) for _, one in found] == [(notices.FEED_LATE, state) for state in told]


# --- settings and the doctor -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://a.example/x?y=1", True),
        ("https://a.example:8443", True),
        ("http://a.example/", False),
        ("https://user:word@a.example/", False),
        ("https://a.example/#part", False),
        ("https:///x", False),
        ("https://a.example:99999/", False),
        ("https://a.example/\r\nX: y", False),
        ("https://a.example/a b", False),
        ("https://例.example/", False),
        ("https://[2001:db8::1]:8443/", True),
        ("https://a..example/", False),
        (f"https://{'a' * 64}.example/", False),
    ],
)
def test_only_https_addresses_that_can_be_sent_to(url: str, fits: bool) -> None:
    assert is_https(url) == fits


def test_a_name_shows_the_host_and_not_the_path() -> None:
    one, two = Webhook("https://a.example/secret-1"), Webhook("https://a.example/secret-2")
    assert one.name != two.name
    assert one.name.startswith("webhook:a.example#")
    assert "secret" not in one.name


def test_the_doctor_says_who_is_behind_and_for_how_long() -> None:
    hook = Webhook("https://a.example/")
    places = {
        "fine": Place("fine", 10, NOW - 3_600_000),
        "busy": Place("busy", 3, NOW - 1000),
        "late": Place("late", 3, NOW - 3_600_000),
        "never": Place("never", 3),
        "leaving": Place("leaving", 3, NOW - 3_600_000, hook),
        "gone": Place("gone", 3, NOW - 3_600_000),
    }
    found = list(supervision.judge(("fine", "busy", "late", "never", "new"), places, 10, NOW))
    assert [(one.where, one.level) for one in found] == [
        ("fine", "ok"),
        ("busy", "ok"),
        ("late", "warning"),
        ("never", "warning"),
        ("new", "warning"),
        ("leaving", "warning"),
    ]
    assert "7 entries behind, the last delivery 60 min ago" in found[2].what.en
