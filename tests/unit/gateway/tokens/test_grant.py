"""The token endpoint: hostile token requests, what their senders are told, and what a good one gets."""

from dataclasses import replace

import jwt
import pytest

from contracts.algorithms import SigningKey
from contracts.errors import ERRORS
from gateway.tokens import Caller, Refused, Request
from gateway.tokens.grant import Granted, oauth_code, oauth_error, oauth_status
from gateway.tokens.metadata import metadata
from tests.unit.gateway.tokens.world import (
    BASE,
    FORM,
    KEY,
    KIOSK,
    NODE,
    NOW,
    OTHER_KEY,
    REGISTRY,
    RETIRED_KEY,
    SECOND,
    SECOND_KEY,
    SETTINGS,
    STRANGER,
    TOKEN,
    URL,
    WINDOW,
    ask,
    assertion,
    forge,
    form,
    issuer,
    knock,
    proof,
    registry,
)

DUPLICATE = forge({"alg": "ES256", "kid": KEY.kid, "typ": "JWT"}, b'{"sub":"kiosk","sub":"window"}', KEY)
GOOD = form(client_assertion=assertion())
BASIC = replace(knock(), authorization=("Basic d2luZG93OnB3",))


def with_assertion(text: str) -> bytes:
    return form(client_assertion=text)


# name → (request, body, our code, OAuth error or "" for invalid_client)
HOSTILE: dict[str, tuple[Request, bytes, str, str]] = {
    # --- the form
    "no body": (knock(), b"", "form_invalid", "invalid_request"),
    "JSON": (knock(), b'{"grant_type":"client_credentials"}', "form_invalid", "invalid_request"),
    "a field twice": (knock(), GOOD + b"&client_id=a&client_id=a", "form_invalid", "invalid_request"),
    "not UTF-8": (knock(), GOOD + b"&x=%ff", "form_invalid", "invalid_request"),
    "raw bytes": (knock(), GOOD + b"&x=\xc3\xa9", "form_invalid", "invalid_request"),
    "too many fields": (knock(), b"&".join(b"f%d=1" % n for n in range(50)), "form_invalid", "invalid_request"),
    "too large": (knock(), b"x=" + b"a" * 16_400, "form_invalid", "invalid_request"),
    "other grant": (
        knock(),
        form(grant_type="authorization_code", client_assertion=assertion()),
        "grant_type_unsupported",
        "unsupported_grant_type",
    ),
    "a scope": (knock(), form(scope="all", client_assertion=assertion()), "scope_unsupported", "invalid_scope"),
    "other resource": (
        knock(),
        form(resource="https://x.example", client_assertion=assertion()),
        "resource_unknown",
        "invalid_target",
    ),
    # --- how the client proves itself
    "Basic": (BASIC, GOOD, "client_method_unsupported", "invalid_client"),
    "secret": (
        knock(),
        form(client_assertion_type=None, client_id="window", client_secret="s"),
        "client_unknown",
        "",
    ),
    "no proof of identity": (knock(), form(client_assertion_type=None), "client_unknown", ""),
    "type alone": (knock(), form(), "client_method_unsupported", ""),
    "other assertion type": (
        knock(),
        form(client_assertion_type="urn:ietf:params:oauth:client-assertion-type:saml2-bearer", client_assertion="x"),
        "client_method_unsupported",
        "",
    ),
    # --- the assertion, before its signature is known to be good: one code for all
    "not a JWT": (knock(), with_assertion("nonsense"), "jws_malformed", ""),
    "over the cap": (knock(), with_assertion("a" * 5000), "jws_malformed", ""),
    "padding": (knock(), with_assertion(assertion() + "="), "base64_invalid", ""),
    "alg none": (knock(), with_assertion(assertion(header={"alg": "none"})), "alg_mismatch", ""),
    "HS256": (knock(), with_assertion(assertion(header={"alg": "HS256"})), "alg_mismatch", ""),
    "no kid": (knock(), with_assertion(assertion(header={"kid": None})), "jws_header_invalid", ""),
    "crit": (knock(), with_assertion(assertion(header={"crit": ["x"]})), "jws_header_invalid", ""),
    "jku": (knock(), with_assertion(assertion(header={"jku": "https://e"})), "jws_header_invalid", ""),
    "typ at+jwt": (knock(), with_assertion(assertion(header={"typ": "at+jwt"})), "typ_wrong", ""),
    "typ dpop+jwt": (knock(), with_assertion(assertion(header={"typ": "dpop+jwt"})), "typ_wrong", ""),
    "an access token": (knock(), with_assertion(TOKEN), "typ_wrong", ""),
    "a proof": (knock(), with_assertion(proof()), "jws_header_invalid", ""),
    "unknown key": (knock(), with_assertion(assertion(STRANGER)), "client_unknown", ""),
    "retired key": (knock(), with_assertion(assertion(RETIRED_KEY)), "client_unknown", ""),
    "the node's key": (knock(), with_assertion(assertion(NODE)), "client_unknown", ""),
    "kid of another": (
        knock(),
        with_assertion(assertion(STRANGER, {"kid": KEY.kid})),
        "signature_invalid",
        "",
    ),
    "duplicate claims": (knock(), with_assertion(DUPLICATE), "json_duplicate_name", ""),
    # --- the assertion, after: the client may know
    "another app": (knock(), with_assertion(assertion(OTHER_KEY)), "assertion_claims_invalid", ""),
    "iss is not sub": (knock(), with_assertion(assertion(iss="kiosk")), "assertion_claims_invalid", ""),
    "client_id is not sub": (
        knock(),
        form(client_id="kiosk", client_assertion=assertion()),
        "assertion_claims_invalid",
        "",
    ),
    "audience elsewhere": (knock(), with_assertion(assertion(aud="https://x.example")), "assertion_audience", ""),
    "audience as a list": (knock(), with_assertion(assertion(aud=[BASE])), "assertion_audience", ""),
    "audience with a slash": (knock(), with_assertion(assertion(aud=BASE + "/")), "assertion_audience", ""),
    "no audience": (knock(), with_assertion(assertion(aud=None)), "assertion_audience", ""),
    "expired": (knock(), with_assertion(assertion(iat=SECOND - 61, exp=SECOND - 1)), "assertion_stale", ""),
    "from the future": (
        knock(),
        with_assertion(assertion(iat=SECOND + 61, exp=SECOND + 90)),
        "assertion_stale",
        "",
    ),
    "not before later": (knock(), with_assertion(assertion(nbf=SECOND + 61)), "assertion_stale", ""),
    "lives six minutes": (knock(), with_assertion(assertion(exp=SECOND + 360)), "assertion_lifetime", ""),
    "ends before it begins": (knock(), with_assertion(assertion(exp=SECOND - 1)), "assertion_lifetime", ""),
    "no iat": (knock(), with_assertion(assertion(iat=None)), "assertion_claims_invalid", ""),
    "no exp": (knock(), with_assertion(assertion(exp=None)), "assertion_claims_invalid", ""),
    "no jti": (knock(), with_assertion(assertion(jti=None)), "assertion_claims_invalid", ""),
    "jti as number": (knock(), with_assertion(assertion(jti=7)), "assertion_claims_invalid", ""),
    # --- the binding
    "nothing to bind to": (knock(dpop=""), GOOD, "binding_missing", "invalid_request"),
    "unknown certificate": (knock(dpop="", certificate=b"x"), GOOD, "certificate_mismatch", "invalid_client"),
    "proof by an unregistered key": (knock(proof(key=STRANGER)), GOOD, "dpop_key_mismatch", "invalid_dpop_proof"),
    "proof by another app's key": (knock(proof(key=OTHER_KEY)), GOOD, "dpop_key_mismatch", "invalid_dpop_proof"),
    "proof by a retired key": (knock(proof(key=RETIRED_KEY)), GOOD, "dpop_key_mismatch", "invalid_dpop_proof"),
    "proof for a lookup": (knock(proof(htu=URL)), GOOD, "dpop_wrong_request", "invalid_dpop_proof"),
    "proof for GET": (knock(proof(htm="GET")), GOOD, "dpop_wrong_request", "invalid_dpop_proof"),
    "old proof": (knock(proof(iat=SECOND - 61)), GOOD, "dpop_stale", "invalid_dpop_proof"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_with_its_code(name: str) -> None:
    request, body, code, error = HOSTILE[name]
    outcome = issuer().grant(request, FORM, body, REGISTRY, NOW)
    assert outcome == Refused(code)
    assert oauth_error(code) == (error or "invalid_client")
    assert {code, oauth_code(code)} <= ERRORS.keys()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_refused_request_uses_nothing_up(name: str) -> None:
    """Assertion and proof are used up together with the token, not before (rule 5)."""
    desk = issuer()
    request, body, _, _ = HOSTILE[name]
    desk.grant(request, FORM, body, REGISTRY, NOW)
    assert isinstance(desk.grant(knock(), FORM, GOOD, REGISTRY, NOW), Granted)


def test_before_the_signature_every_refusal_is_the_same() -> None:
    silent = {code for _, _, code, _ in HOSTILE.values() if oauth_code(code) == "unauthenticated"}
    assert silent == {
        "alg_mismatch",
        "base64_invalid",
        "client_unknown",
        "json_duplicate_name",
        "jws_header_invalid",
        "jws_malformed",
        "signature_invalid",
        "typ_wrong",
    }
    assert {(oauth_error(code), oauth_status(code)) for code in silent} == {("invalid_client", 401)}


@pytest.mark.parametrize("typ", ["client-authentication+jwt", "JWT", None])
@pytest.mark.parametrize("audience", [BASE, f"{BASE}/oauth/token"])
@pytest.mark.parametrize("key", [KEY, SECOND_KEY], ids=lambda key: str(key.suite.alg))
def test_a_token_for_who_it_is(typ: str | None, audience: str, key: SigningKey) -> None:
    body = form(client_assertion=assertion(key, {"typ": typ}, aud=audience), client_id="window", resource=BASE)
    granted = issuer().grant(knock(), FORM + "; charset=UTF-8", body, REGISTRY, NOW)
    assert isinstance(granted, Granted)
    assert (granted.app_id, granted.token_type, granted.expires_in) == ("window", "DPoP", 300)
    claims = jwt.decode(granted.access_token, NODE.public.key, ["ES256"], {"verify_iat": False}, audience=BASE)
    assert claims == {
        "iss": BASE,
        "sub": "window",
        "client_id": "window",
        "aud": BASE,
        "iat": SECOND,
        "exp": SECOND + 300,
        "jti": "id-1",
        "cnf": {"jkt": KEY.kid},
        "auth_kid": key.kid,
    }
    assert jwt.get_unverified_header(granted.access_token) == {"alg": "ES256", "kid": NODE.kid, "typ": "at+jwt"}


def test_the_token_opens_the_door() -> None:
    desk = issuer()
    granted = desk.grant(knock(), FORM, GOOD, REGISTRY, NOW)
    assert isinstance(granted, Granted)
    shown = ask(granted.access_token, proof(granted.access_token, jti="p-2"))
    caller = desk.authenticator.authenticate(shown, REGISTRY, NOW)
    assert caller == Caller(WINDOW, KEY.kid, "dpop", "id-1")


def test_an_assertion_passes_once_and_so_does_a_proof() -> None:
    desk = issuer()
    again = form(client_assertion=assertion(jti="a-2"))
    assert isinstance(desk.grant(knock(), FORM, GOOD, REGISTRY, NOW), Granted)
    assert desk.grant(knock(proof(jti="p-2")), FORM, GOOD, REGISTRY, NOW) == Refused("assertion_replayed")
    assert desk.grant(knock(), FORM, again, REGISTRY, NOW) == Refused("dpop_replayed")


def test_the_same_jti_of_two_apps_is_two_things() -> None:
    desk = issuer()
    other = assertion(OTHER_KEY, iss="kiosk", sub="kiosk")
    assert isinstance(desk.grant(knock(), FORM, GOOD, REGISTRY, NOW), Granted)
    assert isinstance(
        desk.grant(knock(proof(key=OTHER_KEY)), FORM, form(client_assertion=other), REGISTRY, NOW), Granted
    )


def test_a_closed_registry_grants_nothing() -> None:
    refused = issuer().grant(knock(), FORM, GOOD, registry(WINDOW, KIOSK, valid_ms=0), NOW)
    assert refused == Refused("registry_expired")
    assert (oauth_error("registry_expired"), oauth_status("registry_expired")) == ("temporarily_unavailable", 503)


def test_the_metadata_names_what_works() -> None:
    document = metadata(SETTINGS)
    assert document["issuer"] == BASE
    assert document["token_endpoint"] == f"{BASE}/oauth/token"
    assert "none" not in document["token_endpoint_auth_signing_alg_values_supported"]
