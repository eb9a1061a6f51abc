"""Who asks: auditors, known by the TLS client certificates that the configuration lists. Pure.

1. The certificate decides (its SHA-256 fingerprint is what is listed); names in it and issuers nothing.
2. Outside its own validity a certificate proves nothing, also on a connection that was opened before.
3. What an auditor may do are roles: to search, to agree to others' questions about holders, to open openings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from contracts.errors import Fault

SEARCH, APPROVE, OPEN = "search", "approve", "open"
ROLES = (SEARCH, APPROVE, OPEN)


@dataclass(frozen=True, slots=True)
class Auditor:
    """`first`, `last`: validity of the certificate in Unix ms."""

    id: str
    der: bytes = field(repr=False)
    first: int
    last: int
    roles: frozenset[str]

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate."""
        return sha256(self.der).digest()


@dataclass(frozen=True, slots=True)
class Callers:
    """Every auditor, by fingerprint."""

    _known: Mapping[bytes, Auditor]

    @classmethod
    def of(cls, auditors: Sequence[Auditor]) -> "Callers":
        """Those of the configuration."""
        return cls({one.fingerprint: one for one in auditors})

    def find(self, certificate: bytes | None, now: int) -> Auditor:
        """Whose certificate (DER) this is; raises `Fault` `auditors_only`."""
        found = None if certificate is None else self._known.get(sha256(certificate).digest())
        if found is None or not found.first <= now <= found.last:
            raise Fault("auditors_only")
        return found


def need(auditor: Auditor, role: str) -> None:
    """Raises `Fault` `role_missing`."""
    if role not in auditor.roles:
        raise Fault("role_missing")
