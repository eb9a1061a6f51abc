"""The id of a finding: the same from run to run, whatever the index, its keys and its limits. Pure.

1. Tokens change with each index, so an id is not made of them, but of places, which stay: the first 8 bytes, in hex,
   of SHA-256 of canonical JSON `["oncegate-finding-1", rule, period, origin, position]`, with the finding's first
   access (in order of time) and the day or week that it is about. Later accesses of that day do not change it. What
   does: filters or limits that leave out the first access, and a log that is added and has an earlier one.
2. A case without an access has no place. Its id is the first 8 bytes of HMAC-SHA-256 under a key derived from the
   auditor's, so that nobody else can try case numbers on it.
"""

import hmac
import re
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.encoding import canonical

SIZE = 8
_FORM = re.compile(r"[0-9a-f]{16}")


def finding_id(rule: str, period: str, origin: str, position: int) -> str:
    """Rule 1."""
    return sha256(canonical(["oncegate-finding-1", rule, period, origin, position])).digest()[:SIZE].hex()


def case_finding_id(auditor: X25519PrivateKey, rule: str, case: str) -> str:
    """Rule 2."""
    key = HKDF(SHA256(), 32, None, b"oncegate finding ids v1").derive(auditor.private_bytes_raw())
    return hmac.digest(key, canonical(["oncegate-finding-1", rule, case.strip()]), "sha256")[:SIZE].hex()


def is_finding_id(text: str) -> bool:
    """Whether it has the form of one."""
    return _FORM.fullmatch(text) is not None
