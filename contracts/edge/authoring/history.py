"""The former forms of evidence types: what a new form is compared with.

`DIR/history/<id>.<version>.json` lists every form of this version that was signed, oldest first, as canonical JSON.
It is kept with the registry directory. Without it, nothing is known to break: a lost history is a lost check, so a
damaged file is refused, never skipped.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from contracts.edge.files import write_atomic
from contracts.encoding import canonical
from contracts.errors import Fault, UserError
from contracts.evidence_types import EvidenceType
from contracts.evolution import incompatible, mode_of
from contracts.text import Text

Past = Mapping[str, tuple[EvidenceType, ...]]  # by vct, oldest form first

_RESTORE = Text("请从备份恢复该文件。", "Restore the file from a backup.")


def read(directory: Path) -> Past:
    """All former forms; empty where nothing was built yet. Raises `UserError` for a damaged file."""
    forms = (_forms(path) for path in sorted((directory / "history").glob("*.json")))
    return {found[0].vct: found for found in forms if found}


def _forms(path: Path) -> tuple[EvidenceType, ...]:
    try:
        listed = json.loads(path.read_bytes())
        return tuple(EvidenceType.from_json(form) for form in listed)
    except (ValueError, TypeError, Fault):
        what = Text("证照类型的历史记录已损坏", "The history of an evidence type is damaged")
        raise UserError(what, str(path), _RESTORE) from None


def breaks(past: Past, types: Iterable[EvidenceType]) -> Iterator[Text]:
    """What the new forms break of what their compatibility modes promise, in words."""
    for new in types:
        former = past.get(new.vct, ())
        mode = mode_of(former, new)
        for one in incompatible(former, new):
            where = one.pointer or "/"
            yield Text(
                f"{new.vct} {where}: {one.words.zh}({mode});不兼容的变更须用新的版本号 version",
                f"{new.vct} {where}: {one.words.en} ({mode}); an incompatible change needs a new version",
            )


def add(directory: Path, past: Past, types: Iterable[EvidenceType]) -> None:
    """Note the forms that differ from the last ones known."""
    for new in types:
        known = past.get(new.vct, ())
        if known and known[-1] == new:
            continue
        path = directory / "history" / f"{new.id}.{new.version}.json"
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, canonical([form.to_json() for form in (*known, new)]))
