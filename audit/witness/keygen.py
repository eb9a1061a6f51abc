"""The keys of the auditor's program that sign notes: made, and read. Beside the private file stands the vkey that
others pin or list: witness and mirror cosign (type 0x04), orders are signed (type 0x01)."""

from pathlib import Path

from audit.cosignatures import Cosigner
from audit.notes import NoteSigner, parse_vkey
from contracts.edge import keys
from contracts.edge.files import write_atomic
from contracts.errors import Fault, UserError
from contracts.text import Text

COSIGNING = ("witness", "mirror")
KINDS = (*COSIGNING, "orders")

_BAD_NAME = Text("密钥名称不合规", "Not a name for a key that signs notes")
_NAME_REMEDY = Text("如 witness.example/oncegate,不含空格和加号。", "Such as witness.example/oncegate.")
_NO_VKEY = Text("缺少私钥旁的 .vkey 文件", "The file .vkey beside the private key is missing or unreadable")
_OTHER_VKEY = Text("该 .vkey 不是此私钥的,或不是指令密钥", "This .vkey is not this key's, or not one for orders")
_SAME_PLACE = Text(
    "两个文件由 oncegate-audit keygen orders 一起生成。", "oncegate-audit keygen orders makes both files together."
)


def create(path: Path, name: str, kind: str = "witness") -> Path:
    """A new private key at `path`; returns the file of its vkey. `kind`: one of `KINDS`. Raises `UserError`."""
    if not name or any(char.isspace() or char == "+" for char in name):  # before a key is made that could never sign
        raise UserError(_BAD_NAME, name, _NAME_REMEDY)
    made = keys.create_signing_key(path, "EdDSA").key
    public = Cosigner.of(name, made).public if kind in COSIGNING else NoteSigner.of(name, made).public
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


def orders_signer(path: Path) -> NoteSigner:
    """The private key at `path` that signs orders, under the name in the .vkey beside it; raises `UserError`."""
    key, vkey = keys.load_signing_key(path, "EdDSA").key, path.with_suffix(".vkey")
    try:
        public = parse_vkey(vkey.read_text("ascii").strip())
        signer = NoteSigner.of(public.name, key)
    except (OSError, UnicodeDecodeError, Fault):
        raise UserError(_NO_VKEY, str(vkey), _SAME_PLACE) from None
    if signer.public != public:
        raise UserError(_OTHER_VKEY, str(vkey), _SAME_PLACE)
    return signer
