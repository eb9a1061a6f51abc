"""The form of a token request (RFC 6749 §3.2, §4.4.2), strictly.

1. `application/x-www-form-urlencoded`, UTF-8, at most 16 KB, at most 20 fields.
2. No field twice. A field without a value counts as absent. Unknown ones are ignored (all three: RFC 6749 §3.2).
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from contracts.errors import Fault

MAX_FORM = 16 * 1024
_MAX_FIELDS = 20
_MEDIA_TYPE = "application/x-www-form-urlencoded"


def parse(content_type: str, body: bytes) -> Mapping[str, str]:
    """The fields; raises `Fault` `form_invalid`."""
    media_type, _, parameters = content_type.partition(";")
    if media_type.strip().lower() != _MEDIA_TYPE or parameters.strip().lower() not in ("", "charset=utf-8"):
        raise Fault("form_invalid", detail=f"{_MEDIA_TYPE} is expected")
    if len(body) > MAX_FORM:
        raise Fault("form_invalid", detail=f"more than {MAX_FORM} bytes")
    pairs = _pairs(body)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Fault("form_invalid", detail="a field is present twice")
    return {name: value for name, value in fields.items() if value}


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode("ascii")
        return parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise Fault("form_invalid", detail="not a form") from None
