"""What keeps a copied store file unreadable: sealed contents and a keyed blind index.

1. Each store has a data key of its own, 32 random bytes, kept wrapped in the store (AES-256-GCM) by a
   key-encryption key that lives elsewhere, in a 0600 file. There may be several, one after the other, while a new one
   takes over: the first wraps the keys of new stores, each opens the stores made with it.
2. From the data key come, by HKDF-SHA256 (RFC 5869), the key of the contents and the key of the blind index.
3. A content is sealed with AES-256-GCM under a random nonce (2^32 contents are safe, NIST SP 800-38D §8.3), with
   `stream|rec|epoch|seq` as associated data: moved to another row, it does not open.
4. A blind token is keyed BLAKE2b (RFC 7693) over type, field and normalised value, 16 bytes: equal questions give
   equal tokens, and nobody without the key can try out resident numbers. HMAC-SHA256 would take three times as long,
   three times for each message.
"""

import os
from contextlib import suppress
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.errors import Corrupt, UserError
from contracts.text import Text
from gateway.store.rows import TOKEN_SIZE

KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 12
_WRAP_INFO: Final = b"oncegate store data key 1"


def new_wrapped_key(kek: bytes) -> bytes:
    """A new data key, wrapped. `kek`: 32 bytes, or several times that; raises `UserError` for another size."""
    nonce = os.urandom(_NONCE_SIZE)
    return nonce + AESGCM(split_keys(kek)[0]).encrypt(nonce, os.urandom(KEY_SIZE), _WRAP_INFO)


def unwrap_key(wrapped: bytes, kek: bytes, where: str) -> bytes:
    """The data key; raises `UserError` if the key-encryption key of the store at `where` is not among these."""
    for key in split_keys(kek):
        with suppress(InvalidTag):
            return AESGCM(key).decrypt(wrapped[:_NONCE_SIZE], wrapped[_NONCE_SIZE:], _WRAP_INFO)
    raise UserError(
        Text("存储密钥与该存储不符", "The store key is not the one of this store"),
        where,
        Text("请使用创建该存储时的密钥, 或重建存储。", "Use the key it was made with, or rebuild the store."),
    )


def split_keys(kek: bytes) -> tuple[bytes, ...]:
    """The keys in a file of store keys, the one for new stores first; raises `UserError`."""
    if not kek or len(kek) % KEY_SIZE:
        raise UserError(
            Text(f"存储密钥应为 {KEY_SIZE} 字节", f"The store key must have {KEY_SIZE} bytes"),
            remedy=Text(
                "请使用原来的密钥文件,或重新生成。", "Use the file that the store was made with, or create one."
            ),
        )
    return tuple(kek[at : at + KEY_SIZE] for at in range(0, len(kek), KEY_SIZE))


class Sealer:
    """Seals and opens contents, and makes blind tokens (rules 2–4). Safe from several threads."""

    __slots__ = ("_blind", "_decrypt", "_encrypt")

    def __init__(self, data_key: bytes) -> None:
        cipher = AESGCM(_derived(data_key, b"oncegate store contents"))
        self._encrypt, self._decrypt = cipher.encrypt, cipher.decrypt
        self._blind = _derived(data_key, b"oncegate store blind index")

    def seal(self, content: bytes, place: bytes) -> bytes:
        """nonce ‖ ciphertext ‖ tag."""
        nonce = os.urandom(_NONCE_SIZE)
        return nonce + self._encrypt(nonce, content, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """The content; raises `Corrupt` if it was altered or belongs to another place."""
        try:
            return self._decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], place)
        except InvalidTag:
            raise Corrupt("a sealed content does not open at its place") from None

    def token(self, evidence_type: str, field: str, value: str) -> bytes:
        """The blind token of a normalised value. Type and field contain no NUL, so that none can pass for another."""
        text = f"{evidence_type}\0{field}\0{value}".encode()
        return blake2b(text, digest_size=TOKEN_SIZE, key=self._blind).digest()


def place(stream: str, record: str, epoch: int, seq: int) -> bytes:
    """The associated data of a content (rule 3)."""
    return f"{stream}|{record}|{epoch}|{seq}".encode()


def _derived(data_key: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), KEY_SIZE, None, info).derive(data_key)
