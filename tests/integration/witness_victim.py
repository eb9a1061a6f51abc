"""A witness that kills itself (SIGKILL) at the n-th file call of recording a checkpoint. Arguments: store, n.

Reads one request from stdin; writes the answer's status to stdout if it lives to give one.
"""

import os
import signal
import sys
from pathlib import Path

from audit.disk import Disk
from audit.witness.store import WitnessStore
from audit.witness.witness import Witness
from tests.integration.witness_world import COSIGNER, FakeLog


class KillingDisk(Disk):
    """Ends the process before its n-th call."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def _step(self) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1

    def create(self, path: Path) -> int:
        self._step()
        return super().create(path)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._step()
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._step()
        super().sync(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        self._step()
        super().rename(old, new)


def main(directory: str, at: str) -> None:
    disk = KillingDisk(1_000_000)
    store = WitnessStore(Path(directory), disk)
    witness = Witness(COSIGNER, [FakeLog().signer.public], store, lambda: 1_800_000_000, print)
    disk.left = int(at)
    reply = witness.add_checkpoint(sys.stdin.buffer.read())
    print(reply.status, disk.left, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
