"""New keys for an installation: the private file for its owner, and beside it what the registry lists.

node, app    signs (ES256 unless said): PATH, and PATH's stem with .pub.pem
zone         opens what departments encrypt to the zone: likewise
auditor      opens the day keys of an audit log's openings: likewise
store        wraps a store's data key: PATH alone, there is nothing to register
recovery     opens backups: likewise; keep it offline
webhook      signs webhooks to supervision: PATH, and the public key as a receiver takes it, stem with .whpk
audit-log    signs the checkpoints of one log: PATH, and the verifier key of its origin, stem with .vkey
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from audit.notes import NoteSigner
from contracts.edge import keys
from contracts.edge.files import write_atomic
from contracts.errors import Fault, UserError
from contracts.text import Text
from contracts.webhooks import public_text

_NO_ORIGIN = Text("审计日志需要 --origin", "An audit log needs an --origin")
_ORIGIN = Text("如 --origin oncegate.example/slot-1。", "Such as --origin oncegate.example/slot-1.")
_BAD_ORIGIN = Text("origin 不合规", "Not an origin")


def create(kind: str, path: Path, alg: str, origin: str) -> Path | None:
    """Create the key; the file that the registry names, if any. Raises `UserError`."""
    return _KINDS[kind](path, alg, origin)


def _signing(path: Path, alg: str, _: str) -> Path:
    public = path.with_suffix(".pub.pem")
    keys.write_public_key(public, keys.create_signing_key(path, alg).public)
    return public


def _wrapping(path: Path, _alg: str, _origin: str) -> Path:
    public = path.with_suffix(".pub.pem")
    keys.write_hpke_public(public, keys.create_hpke_key(path).public_key())
    return public


def _secret(path: Path, _alg: str, _origin: str) -> None:
    keys.create_secret(path)


def _webhook(path: Path, _alg: str, _origin: str) -> Path:
    public = path.with_suffix(".whpk")
    write_atomic(public, f"{public_text(keys.create_signing_key(path, 'EdDSA').public)}\n".encode())
    return public


def _audit_log(path: Path, _alg: str, origin: str) -> Path:
    if not origin:
        raise UserError(_NO_ORIGIN, str(path), _ORIGIN)
    if " " in origin or "+" in origin:  # before a key is made that could never sign under this name
        raise UserError(_BAD_ORIGIN, origin, _ORIGIN)
    vkey = path.with_suffix(".vkey")
    try:
        signer = NoteSigner.of(origin, keys.create_signing_key(path, "EdDSA").key)
    except Fault as fault:
        raise UserError(_BAD_ORIGIN, origin, fault.row.next_step) from None
    write_atomic(vkey, f"{signer.public.vkey}\n".encode())
    return vkey


_KINDS: Mapping[str, Callable[[Path, str, str], Path | None]] = {
    "node": _signing,
    "app": _signing,
    "zone": _wrapping,
    "auditor": _wrapping,
    "recovery": _wrapping,
    "store": _secret,
    "webhook": _webhook,
    "audit-log": _audit_log,
}
KINDS = tuple(_KINDS)
