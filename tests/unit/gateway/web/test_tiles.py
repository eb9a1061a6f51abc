"""Which `Accept-Encoding` takes gzip (RFC 9110 §12.5.3)."""

import pytest

from gateway.web.tiles import accepts_gzip


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False), ("gzip", True), ("GZip", True), ("x-gzip", True), ("*", True), ("identity", False),
        ("deflate, gzip;q=1.0, *;q=0.5", True), ("gzip;q=0.001", True), ("gzip ; Q=0.5", True),
        ("gzip;q=0", False), ("gzip;q=0.000", False), ("*;q=0", False), ("gzip;q=0, *", False), ("*;q=0,gzip", True),
        ("gzipped", False), ("br;q=1, identity", False), ("gzip;q=2", False), ("gzip;q=x", False), (",,gzip,", True),
    ],
)  # fmt: skip
def test_accepts_gzip(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted
