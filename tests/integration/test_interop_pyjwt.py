"""The bare JWS of a message, and a feed statement, with PyJWT: any JWT library verifies them."""

from typing import Any

import jwt
import pytest

from contracts import feeds
from contracts.messages import read_verified
from contracts.streams import Position
from tests.integration.interop.shape import REGISTRY
from tests.vectors.world import ALGS, CO_OWNED, EPOCH, fixed_key, sealed, stream_of

# Nobody's business here: there is no audience, and `iat` is a fact about the past.
OPTIONS: Any = {"verify_aud": False, "verify_iat": False}


def _decoded(token: bytes, alg: str) -> dict[str, Any]:
    key = jwt.PyJWK({**fixed_key(alg).public.jwk, "alg": alg})
    found: dict[str, Any] = jwt.decode(token, key, algorithms=[alg], options=OPTIONS)
    return found


@pytest.mark.parametrize("alg", ALGS)
def test_the_bare_jws_of_a_message(alg: str) -> None:
    message = sealed(alg, CO_OWNED)
    token = message.split(b"~")[0]
    assert _decoded(token, alg) == read_verified(message)[0]
    assert jwt.get_unverified_header(token) == {"alg": alg, "kid": fixed_key(alg).kid, "typ": "dc+sd-jwt"}


@pytest.mark.parametrize("alg", ALGS)
def test_an_altered_one_is_refused(alg: str) -> None:
    token = sealed(alg).split(b"~")[0]
    head, body, mark = token.split(b".")
    other = sealed(alg, CO_OWNED).split(b".")[1]
    with pytest.raises(jwt.InvalidSignatureError):
        _decoded(b".".join((head, other, mark)), alg)
    assert body != other


@pytest.mark.parametrize("alg", ALGS)
def test_a_feed_statement_in_both_directions(alg: str) -> None:
    statement = feeds.Statement(stream_of(alg), Position(EPOCH, 3), 2, 1_780_000_200, 1_780_000_260)
    token = feeds.seal(statement, fixed_key(alg))
    payload = _decoded(token, alg)
    assert (payload["seq"], payload["count"], payload["next"]) == (3, 2, 1_780_000_260)
    key = fixed_key(alg)
    theirs = jwt.encode(payload, key.key, algorithm=alg, headers={"kid": key.kid, "typ": feeds.TYP})
    assert feeds.open_statement(theirs.encode(), stream_of(alg), REGISTRY)[0] == statement
