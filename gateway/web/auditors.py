"""Auditors at the HTTP edge: their own program, known by its TLS client certificate (RFC 8705 §2.2, as apps are).

1. The registry lists the certificates of each auditor; their SHA-256 fingerprint decides, names and issuers nothing.
2. A slot's entries and sealed openings are for the one auditor that the registry names for this slot.
3. A certificate that an app or another auditor registers, too, is nobody's: auditing and asking are never one.
4. Outside its own validity a certificate proves nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from contracts.errors import Fault
from contracts.registry import Snapshot
from gateway.tokens.certificates import Certificates
from gateway.web.tls import peer_certificate


@dataclass(frozen=True, slots=True)
class AuditorCertificate:
    """A usable one. `first`, `last`: validity in Unix ms."""

    auditor: str
    der: bytes
    first: int
    last: int


def auditor_certificates(registry: Snapshot) -> Iterator[AuditorCertificate]:
    """The usable certificates that auditors registered (rule 3)."""
    found = [one for item in registry.contents.auditors for one in map(_reader(item.id), item.certificates) if one]
    owners = Counter(der for _, der in {(one.auditor, one.der) for one in found})
    apps = Certificates.of(registry)
    yield from (one for one in found if owners[one.der] == 1 and apps.find(one.der) is None)


@dataclass(slots=True)
class SlotAuditor:
    """Whether a request is from the auditor of `slot`. `clock` gives Unix ms."""

    registry: Callable[[], Snapshot]
    slot: str
    clock: Callable[[], int]
    _indexed: Snapshot | None = None
    _ders: dict[bytes, AuditorCertificate] = field(default_factory=dict)

    def __call__(self, request: web.Request) -> bool:
        shown = peer_certificate(request.transport)
        if shown is None:
            return False
        try:
            found = self._certificates().get(shown)
        except Fault:
            return False  # no registry in force: nobody is known
        now = self.clock()
        return found is not None and found.first <= now <= found.last

    def _certificates(self) -> dict[bytes, AuditorCertificate]:
        registry = self.registry()
        if registry is not self._indexed:
            slot = registry.audit_slots.get(self.slot)
            mine = (one for one in auditor_certificates(registry) if slot is not None and one.auditor == slot.auditor)
            self._ders, self._indexed = {one.der: one for one in mine}, registry
        return self._ders


def _reader(auditor: str) -> Callable[[str], AuditorCertificate | None]:
    def read(pem: str) -> AuditorCertificate | None:
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            return None
        first, last = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
        der = certificate.public_bytes(Encoding.DER)
        return AuditorCertificate(auditor, der, round(first * 1000), round(last * 1000))

    return read
