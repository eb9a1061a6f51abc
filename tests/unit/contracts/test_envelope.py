"""The encrypted form on the log: opens for the zone, for its stream, unaltered; and in no other case."""

from importlib import import_module

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from contracts import envelope
from contracts.encoding import Json, b64url_decode, b64url_encode, canonical, parse_object
from contracts.envelope import IV_SIZE, KEY_SIZE, MAX_ENVELOPE, FeedKey, Keyring, close, feed_key
from contracts.errors import Fault
from contracts.hpke import UnwrapKey
from contracts.streams import Stream
from tests.vectors.world import fixed_bytes, fixed_zone_key, stream_of

STREAM = stream_of("ES256")
ZONE = fixed_zone_key()
SECRET = fixed_bytes("feed key", KEY_SIZE)
IV = fixed_bytes("iv", IV_SIZE)
FEED = feed_key(STREAM, ZONE.public, SECRET)
VALUE = close(b"message", FEED, IV)


def _open(value: bytes, stream: Stream = STREAM, *keys: UnwrapKey) -> bytes:
    return Keyring(keys or (ZONE,)).open(value, stream)


@given(message=st.binary(max_size=300), iv=st.binary(min_size=IV_SIZE, max_size=IV_SIZE))
def test_what_is_closed_opens(message: bytes, iv: bytes) -> None:
    assert _open(close(message, FEED, iv)) == message


def test_any_jose_library_opens_it_with_the_feed_key() -> None:
    box = import_module("jwcrypto.jwe").JWE()  # jwcrypto has no types
    box.allowed_algs = ["dir", "A256GCM"]
    box.deserialize(VALUE.decode(), import_module("jwcrypto.jwk").JWK(kty="oct", k=b64url_encode(SECRET).decode()))
    assert box.payload == b"message"


def test_the_header_names_algorithms_and_key_and_repeats() -> None:
    members = parse_object(b64url_decode(FEED.header))
    assert (members["alg"], members["enc"], members["kid"]) == ("dir", "A256GCM", ZONE.public.kid)
    assert close(b"other", FEED, IV).split(b".")[0] == FEED.header


@pytest.mark.parametrize("warm", [False, True])
def test_no_changed_byte_opens(warm: bool) -> None:
    ring = Keyring([ZONE])
    if warm:
        ring.open(VALUE, STREAM)
    for place in range(len(VALUE)):
        altered = VALUE[:place] + bytes((VALUE[place] ^ 1,)) + VALUE[place + 1 :]
        with pytest.raises(Fault):
            ring.open(altered, STREAM)


def test_no_shortened_value_opens() -> None:
    for size in range(len(VALUE)):
        with pytest.raises(Fault):
            _open(VALUE[:size])


@pytest.mark.parametrize("warm", [False, True])
def test_a_feed_key_opens_its_own_stream_alone(warm: bool) -> None:
    ring = Keyring([ZONE])
    if warm:
        ring.open(VALUE, STREAM)
    for stream in (stream_of("EdDSA"), Stream(STREAM.organisation, STREAM.adapter, "test.other")):
        with pytest.raises(Fault, match="unwrap_failed"):
            ring.open(VALUE, stream)
    assert ring.open(VALUE, STREAM) == b"message"


def test_a_retired_zone_key_still_opens_and_a_missing_one_says_so() -> None:
    newer = UnwrapKey.generate()
    assert _open(VALUE, STREAM, newer, ZONE) == b"message"
    with pytest.raises(Fault, match="zone_key_unknown"):
        _open(VALUE, STREAM, newer)


def _with_header(**members: Json) -> bytes:
    header = parse_object(b64url_decode(FEED.header)) | members
    return close(b"message", FeedKey(SECRET, b64url_encode(canonical(header))), IV)


def _without(name: str) -> bytes:
    header = {key: value for key, value in parse_object(b64url_decode(FEED.header)).items() if key != name}
    return close(b"message", FeedKey(SECRET, b64url_encode(canonical(header))), IV)


def _wrapping(secret: bytes) -> bytes:
    """A well-formed header around a feed key of another size."""
    header = feed_key(STREAM, ZONE.public, secret).header
    return header + VALUE[VALUE.index(b".") :]


def _parts(**parts: bytes) -> bytes:
    names = ("header", "key", "iv", "ciphertext", "tag")
    return b".".join((dict(zip(names, VALUE.split(b"."), strict=True)) | parts).values())


def _short_nonce() -> bytes:
    sealed = AESGCM(SECRET).encrypt(IV + b"more", b"message", FEED.header)
    parts = (FEED.header, b"", *map(b64url_encode, (IV + b"more", sealed[:-16], sealed[-16:])))
    return b".".join(parts)


HOSTILE: tuple[tuple[str, str, bytes], ...] = (
    ("nothing", "envelope_malformed", b""),
    ("the message itself", "envelope_malformed", b"a.b.c~"),
    ("six parts", "envelope_malformed", VALUE + b"."),
    ("an encrypted key", "envelope_malformed", _parts(key=b"AAAA")),
    ("too large", "message_too_large", VALUE + b"A" * MAX_ENVELOPE),
    ("header too long", "envelope_malformed", _with_header(kid="k" * 2000)),
    ("header padded", "base64_invalid", _parts(header=FEED.header + b"=")),
    ("header no JSON", "json_invalid", _parts(header=b64url_encode(b"{"))),
    ("header very deep", "json_invalid", _parts(header=b64url_encode(b"[" * 300 + b"]" * 300))),
    ("header name twice", "json_duplicate_name", _parts(header=b64url_encode(b'{"alg":"dir","alg":"dir"}'))),
    ("header with zip", "envelope_malformed", _with_header(zip="DEF")),
    ("header with crit", "envelope_malformed", _with_header(crit=["fk"])),
    ("header without fk", "envelope_malformed", _without("fk")),
    ("key wrapping of another kind", "envelope_malformed", _with_header(alg="RSA1_5")),
    ("unknown content encryption", "alg_unknown", _with_header(enc="A128CBC-HS256")),
    ("unknown wrapping", "alg_unknown", _with_header(wrap="none")),
    ("kid a list", "zone_key_unknown", _with_header(kid=["x"])),
    ("fk a number", "envelope_malformed", _with_header(fk=1)),
    ("fk padded", "base64_invalid", _with_header(fk="AAA=")),
    ("fk of nothing", "unwrap_failed", _with_header(fk="")),
    ("fk of zeros", "unwrap_failed", _with_header(fk=b64url_encode(bytes(80)).decode())),
    ("feed key too short", "envelope_malformed", _wrapping(bytes(16))),
    ("feed key empty", "envelope_malformed", _wrapping(b"")),
    ("nonce too long", "envelope_malformed", _short_nonce()),
    ("tag cut", "envelope_malformed", _parts(tag=b64url_encode(bytes(12)))),
    ("tag empty", "envelope_malformed", _parts(tag=b"")),
    ("tag wrong", "envelope_altered", _parts(tag=b64url_encode(bytes(16)))),
    ("iv padded", "base64_invalid", _parts(iv=b64url_encode(IV) + b"=")),
    ("ciphertext empty", "envelope_altered", _parts(ciphertext=b"")),
    ("ciphertext no base64url", "base64_invalid", _parts(ciphertext=b"\xff\xff\xff\xff")),
)


@pytest.mark.parametrize(("code", "value"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_hostile_envelopes(code: str, value: bytes) -> None:
    with pytest.raises(Fault, match=code):
        _open(value)


def test_a_flood_of_feed_keys_does_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "_CACHE_SIZE", 4)
    ring = Keyring([ZONE])
    values = [close(b"%d" % n, feed_key(STREAM, ZONE.public, fixed_bytes(f"feed {n}")), IV) for n in range(10)]
    assert [ring.open(value, STREAM) for value in values * 2] == [b"%d" % n for n in range(10)] * 2
    assert len(ring._feeds) <= 4


def test_secrets_do_not_show() -> None:
    assert repr(SECRET) not in repr(FEED)
