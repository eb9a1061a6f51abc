"""`sd-jwt` (PyPI, the reference implementation) and ours, in both directions.

As released it knows SHA-256 alone (`HASH_ALG` is a constant of the class), so ES384 with SHA-384 is left to
`@sd-jwt/core`. It names no header of its own accord that we would take, and no claim `sd_all`; both are given to it.
"""

from importlib import import_module
from typing import Any

import pytest
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from contracts.algorithms import VerifyKey
from contracts.encoding import Json, b64url_encode
from contracts.messages import ERASE, WITHDRAW, filtered
from tests.integration.interop.shape import claims, opened_whole, ours, private_jwk, subsets
from tests.vectors.world import CO_OWNED, PERMIT, SPARSE, WHOLE, fixed_key, fixed_salts, sealed

SHA256_SUITES = ("ES256", "EdDSA")
_JWK: Any = import_module("jwcrypto.jwk").JWK


def _verified(message: bytes, key: VerifyKey) -> Any:
    return SDJWTVerifier(message.decode(), lambda *_: _JWK(**key.jwk)).get_verified_payload()


@pytest.mark.parametrize("alg", SHA256_SUITES)
@pytest.mark.parametrize("name", list(subsets(sealed("ES256"))))
def test_it_verifies_ours_and_reads_the_same_claims(alg: str, name: str) -> None:
    message = sealed(alg, CO_OWNED)
    shown = filtered(message, subsets(message)[name])
    assert _verified(shown, fixed_key(alg).public) == ours(shown)


@pytest.mark.parametrize("alg", SHA256_SUITES)
def test_it_reads_every_kind_of_value_and_absent_ones(alg: str) -> None:
    for document in (WHOLE, SPARSE):
        assert _verified(sealed(alg, document), fixed_key(alg).public)["doc"] == document


@pytest.mark.parametrize("operation", [WITHDRAW, ERASE])
def test_it_verifies_messages_without_content(operation: str) -> None:
    message = sealed("ES256", None, 2, operation)
    assert _verified(message, fixed_key("ES256").public) == ours(message)


def test_it_refuses_another_key() -> None:
    with pytest.raises(import_module("jwcrypto.jws").InvalidJWSSignature):
        _verified(sealed("ES256"), fixed_key("ES256", "stranger").public)


def test_it_refuses_another_digest_as_released() -> None:
    """The limit that the module's docstring speaks of; once this fails, ES384 belongs into `SHA256_SUITES`."""
    with pytest.raises(ValueError, match="Invalid hash algorithm"):
        _verified(sealed("ES384"), fixed_key("ES384").public)


def _issue(alg: str, document: dict[str, Json], sd_all: str) -> bytes:
    """A message of its issuer. Salts are counted, so that a second run has the same disclosures."""
    key, salts = fixed_key(alg), fixed_salts("sd-jwt")

    def salt(_: object) -> str:
        return b64url_encode(next(salts)).decode()

    issuer: Any = type("CountedIssuer", (SDJWTIssuer,), {"_generate_salt": salt})
    concealed = {SDObj(name) if name in PERMIT.disclosable else name: value for name, value in document.items()}
    concealed["holders"] = [SDObj(holder) for holder in document["holders"]]
    issued = issuer(
        {**claims(alg, concealed), "sd_all": sd_all},
        _JWK(**private_jwk(key)),
        sign_alg=alg,
        extra_header_parameters={"kid": key.kid, "typ": "dc+sd-jwt"},
    )
    return str(issued.sd_jwt_issuance).encode()


@pytest.mark.parametrize("alg", SHA256_SUITES)
@pytest.mark.parametrize("document", [WHOLE, SPARSE, CO_OWNED], ids=["whole", "sparse", "co-owned"])
def test_we_open_what_it_issues(alg: str, document: dict[str, Json]) -> None:
    tail = _issue(alg, document, "").split(b"~", 1)[1]
    message = _issue(alg, document, fixed_key(alg).suite.digest_text(tail))
    assert opened_whole(message).document() == document


def test_we_open_what_it_presents() -> None:
    """A message of ours, filtered by the other library."""
    holder = SDJWTHolder(sealed("ES256", CO_OWNED).decode())
    holder.create_presentation({"doc": {"number": True, "holders": [False, True, False]}})
    document = ours(holder.sd_jwt_presentation.encode())["doc"]
    assert (document["number"], document["holders"]) == (CO_OWNED["number"], [CO_OWNED["holders"][1]])
    assert "premises" not in document
