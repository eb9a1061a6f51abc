"""The key of a witness or a mirror: made, and read. Beside the private file stands the vkey that others pin."""

from pathlib import Path

from audit.cosignatures import Cosigner
from contracts.edge import keys
from contracts.edge.files import write_atomic
from contracts.errors import Fault, UserError
from contracts.text import Text

KINDS = ("witness", "mirror")

_BAD_NAME = Text("密钥名称不合规", "Not a name for a key that cosigns")
_NAME_REMEDY = Text("如 witness.example/oncegate,不含空格和加号。", "Such as witness.example/oncegate.")


def create(path: Path, name: str) -> Path:
    """A new private key at `path`; returns the file of its vkey. Raises `UserError`."""
    if not name or any(char.isspace() or char == "+" for char in name):  # before a key is made that could never sign
        raise UserError(_BAD_NAME, name, _NAME_REMEDY)
    public = Cosigner.of(name, keys.create_signing_key(path, "EdDSA").key).public
    vkey = path.with_suffix(".vkey")
    write_atomic(vkey, f"{public.vkey}\n".encode())
    return vkey


def cosigner_of(name: str, path: Path) -> Cosigner:
    """The private key at `path`, under its name; raises `UserError`."""
    key = keys.load_signing_key(path, "EdDSA")
    try:
        return Cosigner.of(name, key.key)
    except Fault:
        raise UserError(_BAD_NAME, name, _NAME_REMEDY) from None
