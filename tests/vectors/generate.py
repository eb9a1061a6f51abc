"""Golden vectors of evidence messages, envelopes and feed statements: `python -m tests.vectors.generate`.

Keys and salts are fixed (tests/vectors/world.py) and ECDSA signs deterministically, so every run writes the same bytes.
One part cannot follow from a seed: HPKE takes fresh randomness to wrap a feed key, so the wrapped form is made once and
kept (`envelope-header.json`); delete that file to make another.

Each file of a suite holds `public_jwk` and `cases`: for each the message, and what has to come out.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from contracts import feeds
from contracts.algorithms import SUITES
from contracts.encoding import Json
from contracts.envelope import IV_SIZE, KEY_SIZE, FeedKey, close, feed_key
from contracts.feeds import LiveRecord, Statement, bucket_digests
from contracts.messages import ERASE, WITHDRAW, filtered, read_verified
from contracts.streams import Position
from tests.vectors.world import (
    ALGS,
    CO_OWNED,
    EPOCH,
    SPARSE,
    WHOLE,
    fixed_bytes,
    fixed_key,
    fixed_zone_key,
    sealed,
    stream_of,
)

FOLDER = Path(__file__).parent / "evidence"
HEADER_FILE = FOLDER / "envelope-header.json"
FEED_SECRET = fixed_bytes("feed key of the vectors", KEY_SIZE)
IV = fixed_bytes("iv of the vectors", IV_SIZE)
LIVE = tuple(LiveRecord(f"r-{n}", Position(EPOCH, n), f"sha-256:{n:064x}") for n in range(1, 41))


def _put(alg: str, document: Mapping[str, Json], whole: bool, *kept: str) -> dict[str, Json]:
    """`document` is what was put in, cut down here and not by the code that is tested."""
    message, shown = sealed(alg, document), dict(document)
    if not whole:
        message = filtered(message, [item for item in read_verified(message)[1] if item.name in kept])
        names = {"status", "validity", "suspended", *kept}
        shown = {name: value for name, value in document.items() if name in names} | {"holders": []}
    return {"message": message.decode(), "operation": "put", "whole": whole, "document": shown}


def _stub(alg: str, operation: str) -> dict[str, Json]:
    message = sealed(alg, None, 2, operation)
    return {"message": message.decode(), "operation": operation, "whole": True, "document": None}


CASES: Mapping[str, Callable[[str], dict[str, Json]]] = {
    "all fields": lambda alg: _put(alg, WHOLE, True),
    "optional fields absent": lambda alg: _put(alg, SPARSE, True),
    "co-owners": lambda alg: _put(alg, CO_OWNED, True),
    "filtered": lambda alg: _put(alg, WHOLE, False, "number", "seats"),
    "all withheld": lambda alg: _put(alg, WHOLE, False),
    "withdraw": lambda alg: _stub(alg, WITHDRAW),
    "erase": lambda alg: _stub(alg, ERASE),
}


def _statement(alg: str, full: bool) -> dict[str, Json]:
    buckets = bucket_digests(LIVE, SUITES[alg]) if full else None
    statement = Statement(stream_of(alg), Position(EPOCH, 40), len(LIVE), 1_780_000_200, 1_780_000_260, buckets)
    signed = feeds.seal(statement, fixed_key(alg)).decode()
    return {"statement": signed, "seq": 40, "count": len(LIVE), "buckets": list(buckets) if buckets else None}


def suite_vectors(alg: str) -> Json:
    """The vectors of one suite."""
    return {
        "alg": alg,
        "public_jwk": dict(fixed_key(alg).public.jwk),
        "stream": str(stream_of(alg)),
        "cases": {name: make(alg) for name, make in CASES.items()},
        "statements": {"short": _statement(alg, False), "full": _statement(alg, True)},
    }


def kept_header() -> bytes:
    """The protected header with the feed key wrapped to the zone: the one that is kept, or a new one."""
    if HEADER_FILE.exists():
        return str(json.loads(HEADER_FILE.read_text())["protected"]).encode()
    return feed_key(stream_of("ES256"), fixed_zone_key().public, FEED_SECRET).header


def envelope_vectors() -> Json:
    """A message closed under a fixed feed key and IV."""
    message = sealed("ES256", SPARSE)
    return {
        "zone_private_key": fixed_zone_key().key.private_bytes_raw().hex(),
        "stream": str(stream_of("ES256")),
        "feed_key": FEED_SECRET.hex(),
        "iv": IV.hex(),
        "message": message.decode(),
        "jwe": close(message, FeedKey(FEED_SECRET, kept_header()), IV).decode(),
    }


def files() -> Iterator[tuple[Path, str]]:
    """Each file with its text."""
    yield HEADER_FILE, _text({"protected": kept_header().decode()})
    yield FOLDER / "envelope.json", _text(envelope_vectors())
    for alg in ALGS:
        yield FOLDER / f"{alg.lower()}.json", _text(suite_vectors(alg))


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in files():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
