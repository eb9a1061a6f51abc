"""An order that both signed, brought to the mirror by hand: checked like one from a gateway, and put beside the copy.

A restriction holds from then on. An erasure and a lifting are carried out by the mirror itself, as soon as the copy has
their notice: without one the log would not say what became of its openings.
"""

from collections.abc import Sequence
from contextlib import suppress

from audit import notes
from audit.disk import Disk
from audit.mirror.config import MirrorConfig
from audit.mirror.follower import slot_name
from audit.mirror.listed import Listed
from audit.notes import NoteKey
from audit.orders import files
from audit.orders.authority import Authority
from audit.orders.order import check, parse
from contracts.edge import clock, keys
from contracts.errors import Fault, UserError
from contracts.registry.succession import successors
from contracts.text import Text

_NOT_HERE = Text("镜像中没有该日志的副本", "The mirror has no copy of that log")
_NOT_LISTED = Text(
    "注册库没有登记该日志,或其审计员的指令公钥", "The registry lists no such log, or no key for its orders"
)
_ASK = Text("请与安全管理员核对注册库。", "Look at the registry with the security officer.")


def give(note: bytes, config: MirrorConfig) -> None:
    """Raises `UserError`, `Fault` for an order that does not count, OSError."""
    order = parse(notes.parse(note).text)
    listed = Listed(
        config.registry, keys.load_public_key(config.root_key, config.root_alg), config.directory / "registry-seen.json"
    )
    listed.look(clock.now_ms())
    slot = next((log.slot for log in listed.need() if log.origin == order.origin), "")
    authority = listed.authority(slot)
    if authority is None:
        raise UserError(_NOT_LISTED, order.origin, _ASK)
    _check(note, order.origin, authority, [listed.keys()[one.origin] for one in successors(listed.slots(), slot)])
    directory = config.directory / "logs" / slot_name(slot)
    if not (directory / "checkpoint").is_file():
        raise UserError(_NOT_HERE, order.origin)
    Disk().replace(files.order_path(directory, order.digest), note)


def _check(note: bytes, origin: str, authority: Authority, later: Sequence[NoteKey]) -> None:
    """Signed by the auditor, and by the log or one that goes on from it."""
    for key in later:
        with suppress(Fault):
            check(note, authority.auditor, key, origin)
            return
    check(note, authority.auditor, authority.log)
