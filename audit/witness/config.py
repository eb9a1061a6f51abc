"""The configuration of a witness: one TOML file. Paths only; the key is read by whoever starts it.

[witness]
key = "keys/witness.pem"             # made by: oncegate-audit keygen witness
name = "witness.example/oncegate"    # as in its .vkey
store = "witness"                    # what it cosigned last; on storage that is never put back
host = "0.0.0.0"
port = 8500
certificate = "keys/tls.crt.pem"     # optional, with private_key: TLS. All that is sent is public and signed.
private_key = "keys/tls.key.pem"
logs = ["oncegate.example/gov-extranet-1+1f2e3d4c+…"]   # the verifier keys of the logs, from paper, not from a node
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from audit.notes import ED25519, NoteKey, parse_vkey
from contracts.edge.config import Section, read_toml
from contracts.edge.keys import require_private
from contracts.errors import Fault, UserError
from contracts.text import Text

_BAD_VKEY = Text("不是日志的验证公钥", "Not the verifier key of a log")
_GIVE_VKEY = Text("请填写注册库中该日志的 vkey。", "Give the log's vkey, as the registry lists it.")
_TWICE = Text("同一日志出现两次", "One log stands there twice")
_NO_LOGS = Text("logs 至少要有一个日志", "logs needs at least one log")
_HALF_TLS = Text("certificate 与 private_key 必须同时给出", "certificate and private_key go together")
_BAD_TLS = Text("无法使用 TLS 证书或私钥", "The TLS certificate or key cannot be used")
_CHECK_TLS = Text("请核对两个 PEM 文件是否成对。", "Check that both PEM files exist and belong together.")


@dataclass(frozen=True, slots=True)
class WitnessConfig:
    """A witness. `tls`: certificate and private key; None is plain HTTP."""

    name: str
    key: Path
    store: Path
    host: str
    port: int
    tls: tuple[Path, Path] | None
    logs: tuple[NoteKey, ...]


def load(path: Path) -> WitnessConfig:
    """The configuration at `path`; raises `UserError`."""
    outermost = read_toml(path)
    section = outermost.section("witness")
    found = WitnessConfig(
        name=section.text("name"),
        key=section.path("key"),
        store=section.path("store"),
        host=section.text("host", "127.0.0.1"),
        port=section.integer("port", 8500, low=0, high=65535),
        tls=_tls(section),
        logs=_logs(section),
    )
    outermost.done()
    return found


def context_of(config: WitnessConfig) -> ssl.SSLContext | None:
    """The TLS side of its socket; raises `UserError`."""
    if config.tls is None:
        return None
    require_private(config.tls[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(*config.tls)
    except (OSError, ssl.SSLError):
        raise UserError(_BAD_TLS, str(config.tls[0]), _CHECK_TLS) from None
    return context


def _tls(section: Section) -> tuple[Path, Path] | None:
    certificate, private_key = section.path("certificate", None), section.path("private_key", None)
    if certificate is None and private_key is None:
        return None
    if certificate is None or private_key is None:
        raise section.mistake(_HALF_TLS, "certificate")
    return certificate, private_key


def _logs(section: Section) -> tuple[NoteKey, ...]:
    keys = tuple(_log_key(section, text) for text in section.texts("logs"))
    if not keys:
        raise section.mistake(_NO_LOGS, "logs", _GIVE_VKEY)
    if len({key.name for key in keys}) < len(keys):
        raise section.mistake(_TWICE, "logs")
    return keys


def _log_key(section: Section, text: str) -> NoteKey:
    try:
        key = parse_vkey(text)
    except Fault:
        raise section.mistake(_BAD_VKEY, "logs", _GIVE_VKEY) from None
    if key.kind != ED25519:
        raise section.mistake(_BAD_VKEY, "logs", _GIVE_VKEY)
    return key
