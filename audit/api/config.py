"""The configuration of the auditor's API: one TOML file. Paths only; keys are read by whoever starts it.

[serve]
host = "127.0.0.1"
port = 8600
certificate = "keys/api.crt.pem"     # the server's own, and its private key
private_key = "keys/api.pem"
own_log = "api-log.toml"             # where questions are recorded (`audit.search.own_log`), by this process alone
question_s = 10                      # a search is ended after so long
long_s = 120                         # analyses, reconciliations, samples

[index]
file = "index.sqlite"
follow = ["mirror"]                  # optional: copies of logs that this process indexes as they grow
every_s = 5
vkeys = []                           # optional: the logs' verifier keys; else those beside the copies

[keys]                               # optional; or from standard input (`--keys-from-stdin`)
auditor = "auditor.pem"              # X25519: searches for clerks and cases, following
second = "second.pem"                # X25519 of a second auditor: searches for holders
openings = true                      # keep the auditor's key in memory, so that openings can be opened

[[auditors]]
id = "wang"
certificate = "keys/wang.crt.pem"    # TLS client certificate, each of one auditor only
roles = ["search", "approve", "open"]    # optional: all of them
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.api.callers import ROLES, Auditor
from contracts.edge.config import Section, read_toml
from contracts.edge.keys import require_private
from contracts.edge.system_errors import remedy, why
from contracts.errors import UserError
from contracts.text import Text

_NOT_PEM = Text("不是 PEM 证书", "Not a certificate in PEM")
_UNREADABLE = Text("无法读取证书:{why}", "The certificate cannot be read: {why}")
_TWICE = Text("每位审计员的 id、证书与密钥必须各不相同", "Each auditor has an id, a key and a certificate of their own")
_NOBODY = Text("至少要有一位审计员", "There is no auditor")
_NO_ROLE = Text("roles 不能是 {name}", "{name} is not a role")
_ALONE = Text("second 需要同时给出 auditor", "second needs auditor beside it")
_OF_ROLES = Text(f"可选:{', '.join(ROLES)}。", f"One or more of {', '.join(ROLES)}.")


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """The API. `keys`: files of the auditor's key, and of the second auditor's; empty: none, or from elsewhere."""

    host: str
    port: int
    certificate: Path
    private_key: Path
    own_log: Path
    question_s: float
    long_s: float
    index: Path
    follow: tuple[Path, ...]
    every_s: float
    vkeys: tuple[str, ...]
    keys: tuple[Path, ...]
    openings: bool
    auditors: tuple[Auditor, ...]


def load(path: Path) -> ApiConfig:
    """The configuration at `path`; raises `UserError`."""
    outermost = read_toml(path)
    serve, index, keys = outermost.section("serve"), outermost.section("index"), outermost.section("keys", None)
    found = ApiConfig(
        host=serve.text("host", "127.0.0.1"),
        port=serve.integer("port", 8600, low=0, high=65535),
        certificate=serve.path("certificate"),
        private_key=serve.path("private_key"),
        own_log=serve.path("own_log"),
        question_s=serve.number("question_s", 10.0, low=0.1, high=600),
        long_s=serve.number("long_s", 120.0, low=0.1, high=3600),
        index=index.path("file"),
        follow=index.paths("follow", ()),
        every_s=index.number("every_s", 5.0, low=0.05, high=3600),
        vkeys=index.texts("vkeys", ()),
        keys=() if keys is None else _keys(keys),
        openings=False if keys is None else keys.flag("openings", False),
        auditors=_auditors(outermost),
    )
    outermost.done()
    require_private(found.private_key)
    return found


def _keys(section: Section) -> tuple[Path, ...]:
    auditor, second = section.path("auditor", None), section.path("second", None)
    if auditor is None and second is not None:
        raise section.mistake(_ALONE, "second")
    return tuple(path for path in (auditor, second) if path is not None)


def _auditors(outermost: Section) -> tuple[Auditor, ...]:
    found = tuple(map(_auditor, outermost.sections("auditors", ())))
    if not found:
        raise outermost.mistake(_NOBODY, "auditors")
    # Two certificates of one key are one person's: that would be both auditors at once.
    for values in ({one.id for one in found}, {one.der for one in found}, {_key_of(one) for one in found}):
        if len(values) < len(found):
            raise outermost.mistake(_TWICE, "auditors")
    return found


def _key_of(auditor: Auditor) -> bytes:
    key = x509.load_der_x509_certificate(auditor.der).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _auditor(section: Section) -> Auditor:
    roles = section.texts("roles", ROLES)
    for name in roles:
        if name not in ROLES:
            raise section.mistake(_NO_ROLE.fill(name=name), "roles", _OF_ROLES)
    certificate = _certificate(section, section.path("certificate"))
    first, last = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    der = certificate.public_bytes(Encoding.DER)
    return Auditor(section.text("id"), der, round(first * 1000), round(last * 1000), frozenset(roles))


def _certificate(section: Section, path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        raise section.mistake(_NOT_PEM, "certificate") from None
    except OSError as error:
        raise UserError(_UNREADABLE.fill(why=why(error)), str(path), remedy(error)) from None
