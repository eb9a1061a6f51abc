"""Requests that must not pass: each with the code that says why, to us; the stranger learns one code only."""

import pytest

from contracts.algorithms import SigningKey
from contracts.encoding import b64url_encode, canonical
from contracts.errors import ERRORS
from contracts.registry import App, Node
from gateway.tokens import Caller, Refused, Request, challenge, public_code
from tests.unit.gateway.tokens.world import (
    BASE,
    FOREIGN_NODE,
    KEY,
    KIOSK,
    NODE,
    NODES,
    NOW,
    OTHER_KEY,
    REGISTRY,
    RETIRED_KEY,
    SECOND,
    SECOND_KEY,
    STRANGER,
    TOKEN,
    URL,
    WINDOW,
    app,
    app_key,
    ask,
    ath,
    authenticator,
    forge,
    proof,
    registry,
    token,
)

PRIVATE_JWK = {**KEY.public.jwk, "d": "AAAA"}
NONE_PARTS = [b64url_encode(canonical({"alg": "none", "typ": "at+jwt", "kid": NODE.kid})).decode(), TOKEN.split(".")[1]]


def duplicate_claims() -> str:
    head = {"alg": "ES256", "kid": NODE.kid, "typ": "at+jwt"}
    return forge(head, b'{"aud":"x","aud":"' + BASE.encode() + b'"}', NODE)


def flipped(text: str, place: int) -> str:
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


HOSTILE: dict[str, tuple[Request, str]] = {
    # --- the Authorization field
    "no token": (Request("POST", URL), "token_missing"),
    "two Authorization fields": (Request("POST", URL, (f"DPoP {TOKEN}",) * 2), "authorization_malformed"),
    "Basic": (Request("POST", URL, ("Basic dTpw",)), "authorization_malformed"),
    "scheme alone": (Request("POST", URL, ("DPoP",)), "authorization_malformed"),
    "token over the cap": (Request("POST", URL, ("DPoP " + "a" * 5000,)), "authorization_malformed"),
    "token not ASCII": (Request("POST", URL, ("DPoP é.é.é",)), "authorization_malformed"),
    "two parts": (ask("a.b"), "jws_malformed"),
    "five parts (JWE)": (ask("a.b.c.d.e"), "jws_malformed"),
    # --- the token
    "padding": (ask(TOKEN + "="), "base64_invalid"),
    "second space": (ask(" " + TOKEN), "base64_invalid"),
    "alg none": (ask(".".join([*NONE_PARTS, "AAAA"])), "alg_mismatch"),
    "alg none, no signature": (ask(".".join([*NONE_PARTS, ""])), "jws_malformed"),
    "HS256 with the public key": (ask(token(header={"alg": "HS256"})), "alg_mismatch"),
    "other suite than registered": (ask(token(header={"alg": "ES384"})), "alg_mismatch"),
    "unknown node": (ask(token(STRANGER)), "key_unknown"),
    "node of another zone": (ask(token(FOREIGN_NODE)), "key_unknown"),
    "an app's key as node key": (ask(token(KEY)), "key_unknown"),
    "kid of the node, key of a stranger": (ask(token(STRANGER, {"kid": NODE.kid})), "signature_invalid"),
    "no kid": (ask(token(header={"kid": None})), "jws_header_invalid"),
    "crit": (ask(token(header={"crit": ["exp"]})), "jws_header_invalid"),
    "jwk in the header": (ask(token(header={"jwk": dict(NODE.public.jwk)})), "jws_header_invalid"),
    "typ JWT": (ask(token(header={"typ": "JWT"})), "typ_wrong"),
    "typ of a proof": (ask(token(header={"typ": "dpop+jwt"})), "typ_wrong"),
    "no typ": (ask(token(header={"typ": None})), "typ_wrong"),
    "signature altered": (ask(flipped(TOKEN, len(TOKEN) - 20)), "signature_invalid"),
    "duplicate claims": (ask(duplicate_claims()), "json_duplicate_name"),
    "expired": (ask(token(iat=SECOND - 301, exp=SECOND)), "token_expired"),
    "lives eleven minutes": (ask(token(exp=SECOND + 660)), "token_claims_invalid"),
    "issued in the future": (ask(token(iat=SECOND + 120)), "token_claims_invalid"),
    "exp as text": (ask(token(exp=str(SECOND + 60))), "token_claims_invalid"),
    "exp missing": (ask(token(exp=None)), "token_claims_invalid"),
    "iat true": (ask(token(iat=True)), "token_claims_invalid"),
    "other issuer": (ask(token(iss="https://evil.example")), "token_claims_invalid"),
    "other audience": (ask(token(aud="https://evil.example")), "token_claims_invalid"),
    "audience as a list": (ask(token(aud=[BASE])), "token_claims_invalid"),
    "audience with a slash": (ask(token(aud=BASE + "/")), "token_claims_invalid"),
    "client_id is not sub": (ask(token(client_id="kiosk")), "token_claims_invalid"),
    "no cnf": (ask(token(cnf=None)), "token_claims_invalid"),
    "two confirmations": (ask(token(cnf={"jkt": KEY.kid, "x5t#S256": KEY.kid})), "token_claims_invalid"),
    "unknown confirmation": (ask(token(cnf={"kid": KEY.kid})), "token_claims_invalid"),
    "no jti": (ask(token(jti=None)), "token_claims_invalid"),
    # --- what the registry says
    "unknown app": (ask(token(sub="nobody", client_id="nobody")), "client_unknown"),
    "bound to another app's key": (ask(token(cnf={"jkt": OTHER_KEY.kid})), "client_unknown"),
    "bound to a retired key": (ask(token(cnf={"jkt": RETIRED_KEY.kid})), "client_unknown"),
    "obtained with a retired key": (ask(token(auth_kid=RETIRED_KEY.kid)), "client_unknown"),
    "bound to an unknown certificate": (ask(token(cnf={"x5t#S256": KEY.kid}), scheme="Bearer"), "client_unknown"),
    # --- the binding
    "DPoP token as Bearer": (ask(scheme="Bearer"), "token_binding_mismatch"),
    "DPoP token as Bearer, any certificate": (ask(scheme="Bearer", certificate=b"x"), "token_binding_mismatch"),
    "stolen, no proof": (ask(dpop=""), "dpop_missing"),
    "stolen by another app": (ask(dpop=proof(TOKEN, OTHER_KEY)), "dpop_key_mismatch"),
    "proof by the app's other key": (ask(dpop=proof(TOKEN, SECOND_KEY)), "dpop_key_mismatch"),
    "proof by a stranger": (ask(dpop=proof(TOKEN, STRANGER)), "dpop_key_mismatch"),
    # --- the proof
    "two proofs": (Request("POST", URL, (f"DPoP {TOKEN}",), (proof(TOKEN), proof(TOKEN))), "dpop_malformed"),
    "not a JWS": (ask(dpop="nonsense"), "dpop_malformed"),
    "proof over the cap": (ask(dpop="a" * 5000), "dpop_malformed"),
    "padded proof": (ask(dpop=proof(TOKEN) + "="), "dpop_malformed"),
    "proof typ JWT": (ask(dpop=proof(TOKEN, header={"typ": "JWT"})), "dpop_malformed"),
    "proof alg none": (ask(dpop=proof(TOKEN, header={"alg": "none"})), "dpop_key_mismatch"),
    "proof alg ES384": (ask(dpop=proof(TOKEN, header={"alg": "ES384"})), "dpop_key_mismatch"),
    "private jwk": (ask(dpop=proof(TOKEN, header={"jwk": PRIVATE_JWK})), "dpop_key_invalid"),
    "symmetric jwk": (ask(dpop=proof(TOKEN, header={"jwk": {"kty": "oct", "k": "AAAA"}})), "dpop_key_invalid"),
    "empty jwk": (ask(dpop=proof(TOKEN, header={"jwk": {}})), "dpop_key_invalid"),
    "jwk without kty": (
        ask(dpop=proof(TOKEN, header={"jwk": {"crv": "P-256", "x": "A"}})),
        "dpop_key_invalid",
    ),
    "jwk with a number": (ask(dpop=proof(TOKEN, header={"jwk": {**KEY.public.jwk, "x": 1}})), "dpop_key_invalid"),
    "jwk with x5u": (
        ask(dpop=proof(TOKEN, header={"jwk": {**KEY.public.jwk, "x5u": "u"}})),
        "dpop_key_invalid",
    ),
    "kid instead of jwk": (ask(dpop=proof(TOKEN, header={"jwk": None, "kid": KEY.kid})), "dpop_malformed"),
    "proof with crit": (ask(dpop=proof(TOKEN, header={"crit": ["b64"]})), "dpop_malformed"),
    "right jwk, other signer": (
        ask(dpop=proof(TOKEN, STRANGER, {"jwk": dict(KEY.public.jwk)})),
        "dpop_signature_invalid",
    ),
    "claims altered": (ask(dpop=flipped(proof(TOKEN), 350)), "dpop_signature_invalid"),
    "other method": (ask(dpop=proof(TOKEN, htm="GET")), "dpop_wrong_request"),
    "method in small letters": (ask(dpop=proof(TOKEN, htm="post")), "dpop_wrong_request"),
    "other path": (ask(dpop=proof(TOKEN, htu=f"{BASE}/v1/bundles")), "dpop_wrong_request"),
    "other host": (ask(dpop=proof(TOKEN, htu="https://evil.example/v1/lookups")), "dpop_wrong_request"),
    "plain http": (ask(dpop=proof(TOKEN, htu=URL.replace("https", "http"))), "dpop_wrong_request"),
    "htu missing": (ask(dpop=proof(TOKEN, htu=None)), "dpop_wrong_request"),
    "proof of 61 seconds ago": (ask(dpop=proof(TOKEN, iat=SECOND - 61)), "dpop_stale"),
    "proof 61 seconds ahead": (ask(dpop=proof(TOKEN, iat=SECOND + 61)), "dpop_stale"),
    "proof iat as fraction": (ask(dpop=proof(TOKEN, iat=SECOND + 0.5)), "dpop_claims_invalid"),
    "proof without jti": (ask(dpop=proof(TOKEN, jti=None)), "dpop_claims_invalid"),
    "proof with a long jti": (ask(dpop=proof(TOKEN, jti="j" * 257)), "dpop_claims_invalid"),
    "proof without ath": (ask(dpop=proof(TOKEN, ath=None)), "dpop_token_mismatch"),
    "proof for another token": (ask(dpop=proof(TOKEN, ath=ath("another"))), "dpop_token_mismatch"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_with_its_code(name: str) -> None:
    request, code = HOSTILE[name]
    outcome = authenticator().authenticate(request, REGISTRY, NOW)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.code in ERRORS) == (code, True)


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_also_when_the_token_is_remembered(name: str) -> None:
    door = authenticator()
    assert isinstance(door.authenticate(ask(dpop=proof(TOKEN, jti="p-0")), REGISTRY, NOW), Caller)
    request, code = HOSTILE[name]
    assert door.authenticate(request, REGISTRY, NOW) == Refused(code, _scheme(request))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_stranger_learns_one_code(name: str) -> None:
    outcome = authenticator().authenticate(HOSTILE[name][0], REGISTRY, NOW)
    assert isinstance(outcome, Refused)
    assert public_code(outcome) == "unauthenticated"
    assert outcome.code == "token_missing" or outcome.code not in challenge(outcome)


def _scheme(request: Request) -> str:
    if len(request.authorization) != 1:
        return ""
    scheme, _, rest = request.authorization[0].partition(" ")
    if not rest or len(rest) > 4096 or not rest.isascii():
        return ""
    return {"DPoP": "dpop", "Bearer": "mtls"}.get(scheme, "")


def test_the_same_request_passes_unaltered() -> None:
    assert authenticator().authenticate(ask(), REGISTRY, NOW) == Caller(WINDOW, KEY.kid, "dpop", "t-1")


@pytest.mark.parametrize("key", [KEY, SECOND_KEY], ids=lambda key: str(key.suite.alg))
def test_every_active_key_of_the_app_can_be_bound(key: SigningKey) -> None:
    bound = token(cnf={"jkt": key.kid})
    assert isinstance(authenticator().authenticate(ask(bound, proof(bound, key)), REGISTRY, NOW), Caller)


def test_es384_on_both_sides() -> None:
    node, key = SigningKey.generate("ES384"), SigningKey.generate("ES384")
    nodes = (Node("n3", "gov", "ES384", node.public.jwk),)
    here = registry(app("window", app_key(key)), nodes=nodes)
    bound = token(node, cnf={"jkt": key.kid})
    assert isinstance(authenticator().authenticate(ask(bound, proof(bound, key)), here, NOW), Caller)


@pytest.mark.parametrize(
    "htu",
    [URL + "?page=1", URL + "#top", URL.replace("gateway.example", "GATEWAY.example"), URL.replace("https", "HTTPS")],
)
def test_an_equal_target_in_another_spelling_passes(htu: str) -> None:
    assert isinstance(authenticator().authenticate(ask(dpop=proof(TOKEN, htu=htu)), REGISTRY, NOW), Caller)


def test_harmless_members_of_the_jwk_do_not_count() -> None:
    spelled = {"jwk": {**KEY.public.jwk, "kid": "mine", "use": "sig", "alg": "ES256", "key_ops": ["verify"]}}
    assert isinstance(authenticator().authenticate(ask(dpop=proof(TOKEN, header=spelled)), REGISTRY, NOW), Caller)


def test_a_proof_passes_once() -> None:
    door, request = authenticator(), ask()
    outcomes = [door.authenticate(request, REGISTRY, NOW + n) for n in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Caller, Refused, Refused]
    assert outcomes[1] == Refused("dpop_replayed", "dpop")


def test_a_malleated_signature_is_the_same_proof() -> None:
    """(r, n - s) verifies as well as (r, s): what counts once is the `jti`, not the bytes."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    door, shown = authenticator(), proof(TOKEN)
    assert isinstance(door.authenticate(ask(dpop=shown), REGISTRY, NOW), Caller)
    signing_input, _, _ = shown.rpartition(".")
    signature = KEY.sign(signing_input.encode())
    twisted = signature[:32] + (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    assert KEY.public.verify(twisted, signing_input.encode())
    again = f"{signing_input}.{b64url_encode(twisted).decode()}"
    assert door.authenticate(ask(dpop=again), REGISTRY, NOW) == Refused("dpop_replayed", "dpop")


def test_a_refused_proof_is_not_used_up() -> None:
    door = authenticator()
    early = door.authenticate(ask(dpop=proof(TOKEN, iat=SECOND + 61)), REGISTRY, NOW)
    assert early == Refused("dpop_stale", "dpop")
    assert isinstance(door.authenticate(ask(dpop=proof(TOKEN, iat=SECOND + 61)), REGISTRY, NOW + 1000), Caller)


@pytest.mark.parametrize(
    ("apps", "why"),
    [
        ((KIOSK,), "the app is gone"),
        ((app("window", app_key(KEY, "retired"), app_key(SECOND_KEY)), KIOSK), "the key is retired"),
        ((app("window", app_key(SECOND_KEY)), KIOSK), "the key is gone"),
        ((app("window"), app("kiosk", app_key(KEY))), "the key is another app's now"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_struck_off_is_out_at_once_though_the_token_lives(apps: tuple[App, ...], why: str) -> None:
    door = authenticator()
    assert isinstance(door.authenticate(ask(), REGISTRY, NOW), Caller)
    later = registry(*apps, version=2)
    assert door.authenticate(ask(dpop=proof(TOKEN, jti="p-2")), later, NOW) == Refused("client_unknown", "dpop")


def test_a_node_that_is_gone_takes_its_tokens_along() -> None:
    door = authenticator()
    assert isinstance(door.authenticate(ask(), REGISTRY, NOW), Caller)
    later = registry(WINDOW, KIOSK, nodes=NODES[1:], version=2)
    assert door.authenticate(ask(dpop=proof(TOKEN, jti="p-2")), later, NOW) == Refused("key_unknown", "dpop")


def test_a_remembered_token_still_expires() -> None:
    door = authenticator()
    assert isinstance(door.authenticate(ask(), REGISTRY, NOW), Caller)
    late = NOW + 300_000
    shown = proof(TOKEN, jti="p-2", iat=late // 1000)
    assert door.authenticate(ask(dpop=shown), REGISTRY, late) == Refused("token_expired", "dpop")


def test_a_closed_registry_authenticates_nobody() -> None:
    closed = registry(WINDOW, KIOSK, valid_ms=0)
    refused = authenticator().authenticate(ask(), closed, NOW)
    assert isinstance(refused, Refused)
    assert (refused.code, public_code(refused)) == ("registry_expired", "registry_expired")
    assert ERRORS[refused.code].status == 503


def test_any_node_of_the_zone_accepts_any_nodes_token() -> None:
    second = SigningKey.generate("EdDSA")
    here = registry(WINDOW, nodes=(*NODES, Node("n3", "gov", "EdDSA", second.public.jwk)))
    elsewhere = token(second)
    assert isinstance(authenticator().authenticate(ask(elsewhere), here, NOW), Caller)


def test_challenges_follow_the_standards() -> None:
    assert challenge(Refused("token_missing")) == 'DPoP algs="ES256 ES384 EdDSA", Bearer'
    assert challenge(Refused("dpop_stale", "dpop")) == 'DPoP error="invalid_dpop_proof", algs="ES256 ES384 EdDSA"'
    assert challenge(Refused("token_expired", "dpop")).startswith('DPoP error="invalid_token"')
    assert challenge(Refused("certificate_missing", "mtls")) == 'Bearer error="invalid_token"'
