"""Change one byte of the audit log, see that verification fails, and put it back."""

from collections.abc import Callable
from pathlib import Path


def detects_one_byte(directory: Path, intact: Callable[[], bool]) -> bool:
    """Whether `intact` turns false with one byte of the newest entry bundle changed, and true again without."""
    bundle = max((directory / "tile" / "entries").rglob("*"), key=_newest)
    original = bundle.read_bytes()
    at = len(original) // 2
    try:
        bundle.write_bytes(original[:at] + bytes([original[at] ^ 0x01]) + original[at + 1 :])
        noticed = not intact()
    finally:
        bundle.write_bytes(original)
    return noticed and intact()


def _newest(path: Path) -> tuple[bool, float]:
    return path.is_file(), path.stat().st_mtime
