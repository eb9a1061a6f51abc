"""Failures by address: counted, refilled, bounded; and they never lock out a token that is known to be good."""

from dataclasses import replace

from contracts.errors import ERRORS
from gateway.tokens import Authenticator, Caller, Limits, LocalReplay, Refused, Throttle, public_code
from gateway.tokens.grant import Issuer
from tests.unit.gateway.tokens.world import (
    FORM,
    NODE,
    NOW,
    REGISTRY,
    SETTINGS,
    STRANGER,
    TOKEN,
    ask,
    form,
    knock,
    proof,
    token,
)
from tests.unit.gateway.tokens.world import assertion as assertion_of

LIMITS = Limits(burst=3, per_minute=60, peers=2)


def test_a_burst_then_one_a_second() -> None:
    throttle = Throttle(LIMITS)
    for _ in range(3):
        assert throttle.wait("192.0.2.1", NOW) == 0
        throttle.failed("192.0.2.1", NOW)
    assert throttle.wait("192.0.2.1", NOW) == 1
    assert throttle.wait("192.0.2.2", NOW) == 0
    assert throttle.wait("192.0.2.1", NOW + 1000) == 0


def test_a_clock_that_jumps_back_gives_nothing() -> None:
    throttle = Throttle(LIMITS)
    for _ in range(3):
        throttle.failed("192.0.2.1", NOW)
    assert throttle.wait("192.0.2.1", NOW - 60_000) > 0


def test_an_ipv6_subscriber_is_one_address() -> None:
    throttle = Throttle(LIMITS)
    for last in range(3):
        throttle.failed(f"2001:db8::{last}", NOW)
    assert throttle.wait("2001:db8::ffff", NOW) > 0
    assert throttle.wait("2001:db8:0:1::1", NOW) == 0


def test_a_mapped_address_is_the_address() -> None:
    throttle = Throttle(LIMITS)
    for number in range(3):
        throttle.failed(f"::ffff:192.0.2.{number}", NOW)
    assert throttle.wait("::ffff:192.0.2.1", NOW) == 0


def test_memory_is_bounded() -> None:
    throttle = Throttle(LIMITS)
    for number in range(10):
        throttle.failed(f"192.0.2.{number}", NOW)
    assert len(throttle) == 2


def test_after_too_many_failures_only_known_tokens_pass() -> None:
    door = Authenticator(SETTINGS, LocalReplay(0), Throttle(LIMITS))
    assert isinstance(door.authenticate(ask(), REGISTRY, NOW), Caller)
    for _ in range(3):
        assert door.authenticate(ask(token(STRANGER)), REGISTRY, NOW) == Refused("key_unknown", "dpop")
    fresh = token(jti="t-2")
    refused = door.authenticate(ask(fresh), REGISTRY, NOW)
    assert refused == Refused("too_many_failures", "dpop", 1)
    assert ERRORS[public_code(refused)].status == 429
    assert isinstance(door.authenticate(ask(dpop=proof(TOKEN, jti="p-2")), REGISTRY, NOW), Caller)
    elsewhere = replace(ask(fresh, proof(fresh, jti="p-3")), peer="198.51.100.9")
    assert isinstance(door.authenticate(elsewhere, REGISTRY, NOW), Caller)


def test_the_token_endpoint_shares_the_count() -> None:
    door = Authenticator(SETTINGS, LocalReplay(0), Throttle(LIMITS))
    desk = Issuer(SETTINGS, NODE, LocalReplay(0), door, lambda: "id")
    body = form(client_assertion=assertion_of(STRANGER))
    outcomes = [desk.grant(knock(), FORM, body, REGISTRY, NOW) for _ in range(4)]
    assert outcomes == [Refused("client_unknown")] * 3 + [Refused("too_many_failures", "", 1)]
    assert door.authenticate(ask(), REGISTRY, NOW) == Refused("too_many_failures", "dpop", 1)


def test_a_clock_that_goes_back_an_hour_keeps_nobody_out_for_an_hour() -> None:
    throttle = Throttle(Limits(burst=2, per_minute=60))
    hour = 3_600_000
    for _ in range(2):
        throttle.failed("192.0.2.1", hour)
    assert throttle.wait("192.0.2.1", 0) == 1
    assert throttle.wait("192.0.2.1", 500) == 1
    assert throttle.wait("192.0.2.1", 1000) == 0
