"""SHA-256 and SM3 of a file while it is written or read. Both, because courts here ask for the one or the other."""

from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SM3, Hash


@dataclass(frozen=True, slots=True)
class Digest:
    """Of some bytes; `sha256` and `sm3` in hex."""

    size: int
    sha256: str
    sm3: str


class Digesting:
    """Bytes go in piece by piece."""

    def __init__(self) -> None:
        self._size = 0
        self._sha256 = sha256()
        self._sm3 = Hash(SM3())

    def update(self, data: bytes) -> None:
        """The next piece."""
        self._size += len(data)
        self._sha256.update(data)
        self._sm3.update(data)

    def done(self) -> Digest:
        """Of all that went in; nothing can be added after."""
        return Digest(self._size, self._sha256.hexdigest(), self._sm3.finalize().hex())


def digest_of(data: bytes) -> Digest:
    """Of bytes in memory."""
    digesting = Digesting()
    digesting.update(data)
    return digesting.done()
