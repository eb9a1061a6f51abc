"""The auditors' private keys at the start of the API: what is made of them, and what is kept.

1. One or two X25519 keys, from the files of the configuration or, in PEM one after the other, from standard input: the
   auditor's, to whom logs are sealed, then a second auditor's.
2. Tokens of the index need only keys derived from them, with the index's own salt; these are kept. A wrong key is
   refused at the start.
3. The second auditor's private key is let go at once. The auditor's own is kept only to follow logs into an index
   with tokens, and to open openings.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from audit.search.database import known_checks, meta, require
from audit.search.tokens import TokenKeys, checks, key_id, token_keys
from contracts.edge.keys import load_hpke_private
from contracts.errors import UserError
from contracts.text import Text

_BLOCK = re.compile(rb"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----", re.DOTALL)
_NOT_KEYS = Text(
    "标准输入须为一或两把 X25519 私钥(PEM)", "Standard input has to be one or two X25519 private keys in PEM"
)
_CAT = Text(
    "例如:cat auditor.pem second.pem | oncegate-audit serve …", "Such as cat auditor.pem second.pem | … serve …"
)
_SAME_KEY = Text("两把私钥相同", "Both keys are the same one")
_TWO_PEOPLE = Text("查持证主体须由两位审计员各自提供私钥。", "Holder searches take the keys of two auditors.")
_NEED = Text("openings 需要审计员私钥", "Openings need the auditor's private key")
_GIVE = Text("请在 [keys] 中给出 auditor。", "Give `auditor` in [keys], or --keys-from-stdin.")


@dataclass(frozen=True, slots=True)
class Keys:
    """What the API holds. `tokens` None: no person can be searched for. `auditor` None: openings stay sealed."""

    tokens: TokenKeys | None = field(repr=False)
    ids: tuple[str, ...]
    auditor: X25519PrivateKey | None = field(repr=False)


def from_files(paths: Sequence[Path]) -> list[X25519PrivateKey]:
    """Rule 1; raises `UserError`."""
    return [load_hpke_private(path) for path in paths]


def from_text(text: bytes) -> list[X25519PrivateKey]:
    """Rule 1, from what standard input held; raises `UserError`."""
    try:
        keys = [load_pem_private_key(block, None) for block in _BLOCK.findall(text)]
    except (ValueError, TypeError):
        keys = []
    found = [key for key in keys if isinstance(key, X25519PrivateKey)]
    if not 1 <= len(found) <= 2 or len(found) < len(keys):
        raise UserError(_NOT_KEYS, "", _CAT)
    return found


def derive(private: Sequence[X25519PrivateKey], db: apsw.Connection, openings: bool) -> Keys:
    """Rules 2 and 3, for this index; raises `UserError`."""
    if not private:
        if openings:
            raise UserError(_NEED, "[keys]", _GIVE)
        return Keys(None, (), None)
    salt = meta(db)["salt"]
    if not isinstance(salt, bytes):
        raise TypeError("the salt of an index is bytes")
    try:
        tokens = token_keys(salt, *private)
    except ValueError:
        raise UserError(_SAME_KEY, "[keys]", _TWO_PEOPLE) from None
    known, ours = known_checks(db), checks(tokens)
    require(known, ours, {kind: None for kind in ours if kind in known})
    return Keys(tokens, tuple(map(key_id, private)), private[0] if openings else None)
