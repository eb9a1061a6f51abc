"""Whether the `htu` of a proof names a request's target (RFC 9449 §4.3 item 9).

1. Query and fragment do not count.
2. Equal after syntax- and scheme-based normalisation (RFC 3986 §6.2.2, §6.2.3): case of scheme, host and percent
   escapes, the default port, the empty path. Escaped unreserved characters and dot segments are not resolved:
   no route of ours has them, and every resolver of them is a chance to disagree with the router.
"""

import re
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,2048}")


def same_target(htu: object, url: str) -> bool:
    """`htu` as received; `url` the configured base URL and the path."""
    if htu == url:
        return True
    if not isinstance(htu, str) or _PRINTABLE.fullmatch(htu) is None:
        return False
    found = _normal(htu)
    return found is not None and found == _normal(url)


def _normal(url: str) -> tuple[str, str, int | None, str] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or parts.username is not None:
        return None
    path = _ESCAPE.sub(lambda escape: escape[0].upper(), parts.path or "/")
    return parts.scheme, parts.hostname, port, path
