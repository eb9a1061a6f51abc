"""The records of a sample, from the logs that an index knows: proved, and opened where the auditor's key is given."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from audit.review.events import Place, Whom
from audit.search.query import Index
from audit.search.tokens import key_id
from audit.show import Line, Viewer
from contracts.errors import UserError
from contracts.text import Text

_NO_RECORD = Text("该条目不是访问记录", "That entry is no access record")


class Records:
    """`keys`: the first one is the auditor's to whom openings are sealed; none: leaves only."""

    def __init__(self, index: Index, keys: Sequence[X25519PrivateKey] = ()) -> None:
        self.auditors = tuple(key_id(key) for key in keys[:1])
        self._index = index
        self._key = keys[0] if keys else None
        self._viewers: dict[str, Viewer] = {}

    def line(self, place: Place) -> Line:
        """The record, proved under the log's head; raises `UserError`, `Corrupt`, `Fault`."""
        viewer = self._viewers.get(place.log)
        if viewer is None:
            reader = self._index.reader(self._index.log(place.log))
            viewer = self._viewers[place.log] = Viewer(reader.directory, reader.key, self._key)
        return viewer.line(place.position)

    def whom(self, place: Place) -> Whom:
        """Whose access it was; raises as `line`."""
        record = self.line(place).record or {}
        organisation, unit = record.get("organisation"), record.get("unit")
        if type(organisation) is not str:
            raise UserError(_NO_RECORD, f"{place.log}:{place.position}")
        return Whom(organisation, unit if type(unit) is str else None)
