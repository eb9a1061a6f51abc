"""What both libraries are given: our claims, our keys as private JWKs, and what has to come out."""

from typing import Any

from contracts.algorithms import SigningKey
from contracts.encoding import Json, b64url_encode
from contracts.messages import Disclosure, Evidence, open_message, read_verified
from tests.vectors.world import EPOCH, ISSUED_AT, PERMIT, RECORD, SOURCE_TIME, adapter_id, registry_of

REGISTRY = registry_of()


def private_jwk(key: SigningKey) -> dict[str, str]:
    """The private JWK (RFC 7518 §6.2.2, RFC 8037 §2). Test keys only."""
    if key.suite.alg == "EdDSA":
        raw = key.key.private_bytes_raw()
    else:
        raw = key.key.private_numbers().private_value.to_bytes((key.key.key_size + 7) // 8, "big")
    return {**key.public.jwk, "d": b64url_encode(raw).decode()}


def claims(alg: str, document: Json) -> dict[str, Json]:
    """The payload of a put before anything is concealed, without `sd_all` and `_sd_alg`."""
    return {
        "iss": "city-permits",
        "adp": adapter_id(alg),
        "vct": PERMIT.vct,
        "rec": RECORD,
        "op": "put",
        "epoch": EPOCH,
        "seq": 1,
        "iat": ISSUED_AT,
        "src": SOURCE_TIME,
        "doc": document,
    }


def subsets(message: bytes) -> dict[str, tuple[Disclosure, ...]]:
    """Some ways of filtering a message, by name: everything, halves, fields alone, holders alone, nothing."""
    every = read_verified(message)[1]
    return {
        "whole": every,
        "every second": every[::2],
        "the others": every[1::2],
        "fields": tuple(item for item in every if item.name is not None),
        "holders": tuple(item for item in every if item.name is None),
        "all withheld": (),
    }


def ours(message: bytes) -> dict[str, Any]:
    """The claims as we read them: what another library has to reconstruct."""
    opened = open_message(message, REGISTRY)
    assert isinstance(opened, Evidence), opened
    payload = {name: value for name, value in read_verified(message)[0].items() if name != "_sd_alg"}
    return {**payload, "doc": opened.document()} if "doc" in payload else payload


def opened_whole(message: bytes) -> Evidence:
    """The message of another issuer, opened by us: complete, as its issuer published it."""
    opened = open_message(message, REGISTRY)
    assert isinstance(opened, Evidence), opened
    assert opened.whole
    return opened
