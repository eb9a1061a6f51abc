"""X.509 certificates (RFC 5280): valid now, for the names that are used, strong, and with its own private key.

1. Valid now; 30 days before its end is time to renew.
2. It names the host that clients ask for (subjectAltName only, RFC 9525 §6).
3. RSA below 2048 bits and signatures with SHA-1 or MD5 are refused by current TLS libraries. A certificate that is its
   own issuer is trusted for itself: its signature does not matter.
4. Its private key is the one configured.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from contracts.edge import system_errors
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.errors import UserError
from contracts.text import Text

DAY_MS: Final = 86_400_000
RENEW_DAYS: Final = 30
_WEAK_HASHES: Final = frozenset(("sha1", "md5"))

_EXPIRED = Text("证书已于 {day} 过期", "The certificate expired on {day}")
_ENDS = Text("证书将于 {day} 过期", "The certificate expires on {day}")
_EARLY = Text("证书自 {day} 起才有效", "The certificate is valid from {day} on only")
_RENEW = Text("请换发证书并重启服务。", "Renew it and start the process again.")
_CLOCK = Text("请核对系统时间。", "Look at the clock of this machine.")
_NAMES = Text("证书不含主机名 {host}(只有 {names})", "The certificate does not name {host} (it names {names})")
_ISSUE = Text("请签发含该名称的证书,或改正 base_url。", "Issue one that names it, or correct base_url.")
_WEAK = Text("证书太弱:{why}", "The certificate is weak: {why}")
_STRONGER = Text("请以 EC P-256 或 RSA 3072 重新签发。", "Issue it anew with EC P-256 or RSA 3072.")
_PAIR = Text("私钥不属于该证书", "The private key is not the certificate's")
_CHECK_PAIR = Text("请核对 certificate 与 private_key。", "Compare certificate and private_key.")
_UNREADABLE = Text("无法读取证书:{why}", "The certificate cannot be read: {why}")
_USE_PEM = Text("请提供 PEM 格式的证书。", "Give a certificate in PEM.")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says. Times in Unix ms; `weakness` empty: none; `key_fits` None: no private key was tried."""

    where: str
    valid_from: int
    valid_until: int
    names: tuple[str, ...]
    weakness: str = ""
    key_fits: bool | None = None


def judge(certificate: Certificate, now: int, host: str | None) -> Iterator[Finding]:
    """Rules 1 to 4; one `ok` if there is nothing to say. `host` None: any will do."""
    found = [*_times(certificate, now), *_name(certificate, host), *_strength(certificate)]
    yield from found
    if not found:
        day = _day(certificate.valid_until)
        yield ok(f"证书有效至 {day}", f"The certificate is valid until {day}", certificate.where)


def _times(one: Certificate, now: int) -> Iterator[Finding]:
    if now < one.valid_from:
        yield failed(_EARLY.fill(day=_day(one.valid_from)), _CLOCK, one.where)
    elif now >= one.valid_until:
        yield failed(_EXPIRED.fill(day=_day(one.valid_until)), _RENEW, one.where)
    elif one.valid_until - now < RENEW_DAYS * DAY_MS:
        yield warning(_ENDS.fill(day=_day(one.valid_until)), _RENEW, one.where)


def _name(one: Certificate, host: str | None) -> Iterator[Finding]:
    if host is not None and not any(_matches(host.lower(), name.lower()) for name in one.names):
        yield failed(_NAMES.fill(host=host, names=", ".join(one.names) or "-"), _ISSUE, one.where)


def _matches(host: str, name: str) -> bool:
    """Rule 2; `*` stands for the whole first label (RFC 9525 §6.3)."""
    try:
        return ipaddress.ip_address(host) == ipaddress.ip_address(name)
    except ValueError:
        return host == name or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _strength(one: Certificate) -> Iterator[Finding]:
    if one.weakness:
        yield failed(_WEAK.fill(why=one.weakness), _STRONGER, one.where)
    if one.key_fits is False:
        yield failed(_PAIR, _CHECK_PAIR, one.where)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()


# --- gathering ---------------------------------------------------------------------------------------------------


def read(path: Path, private_key: Path | None = None) -> tuple[Certificate, bytes]:
    """The first certificate of a PEM file, and its DER bytes; raises `UserError`."""
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise UserError(
            _UNREADABLE.fill(why=system_errors.why(error)), str(path), system_errors.remedy(error)
        ) from None
    except ValueError:
        raise UserError(_UNREADABLE.fill(why=Text("不是 PEM", "it is not PEM")), str(path), _USE_PEM) from None
    return of(found, str(path), private_key), _der(found)


def from_der(data: bytes, where: str) -> Certificate:
    """What a certificate in DER says; raises ValueError."""
    return of(x509.load_der_x509_certificate(data), where, None)


def of(found: x509.Certificate, where: str, private_key: Path | None) -> Certificate:
    """The facts of a certificate."""
    return Certificate(
        where=where,
        valid_from=_milliseconds(found.not_valid_before_utc),
        valid_until=_milliseconds(found.not_valid_after_utc),
        names=_names(found),
        weakness=_weakness(found),
        key_fits=None if private_key is None else _fits(found, private_key),
    )


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    hosts = names.get_values_for_type(x509.DNSName)
    return (*hosts, *map(str, names.get_values_for_type(x509.IPAddress)))


def _weakness(found: x509.Certificate) -> str:
    key = found.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < 2048:
        return f"RSA {key.key_size}"
    try:
        digest = found.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "?"
    own_issuer = found.issuer == found.subject
    return digest.name if digest is not None and digest.name in _WEAK_HASHES and not own_issuer else ""


def _fits(found: x509.Certificate, private_key: Path) -> bool | None:
    """None: the key file cannot be read; that is told of the file."""
    try:
        key = load_pem_private_key(private_key.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return bool(key.public_key() == found.public_key())


def _der(found: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return found.public_bytes(Encoding.DER)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
