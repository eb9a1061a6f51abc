"""A process that may open no more files: strangers' connections can bring that about, and must not end the log."""

import os
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit import disk
from audit.log import AuditLog, Limits
from audit.verify import verify
from contracts.errors import Fault
from tests.integration.audit_support import SIGNER, entry, opening, settings
from tests.waiting import until


@contextmanager
def starved() -> Iterator[None]:
    """No file can be opened within."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 64, hard))
    try:
        while True:
            held.append(os.dup(held[0]))
    except OSError:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)


def test_the_log_waits_for_descriptors(tmp_path: Path) -> None:
    deaths: list[BaseException] = []
    log = AuditLog.open(settings(tmp_path, limits=Limits()), deaths.append)
    log.append_blocking(entry(0), opening(0))
    frames = tmp_path / "frames" / f"{0:020d}"
    before = frames.stat().st_size
    with ThreadPoolExecutor(1) as pool:
        with starved():
            waiting = pool.submit(log.append_blocking, entry(1), opening(1))
            until(lambda: frames.stat().st_size > before)
            assert not waiting.done()  # the frame is there; whether it is ours, nobody could look
        assert waiting.result() == 1
    log.close()
    assert deaths == []
    assert verify(tmp_path, SIGNER.public).difference is None


def test_it_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "PATIENCE_S", 0.0)
    deaths: list[BaseException] = []
    log = AuditLog.open(settings(tmp_path), deaths.append)
    with ThreadPoolExecutor(1) as pool:
        with starved():
            waiting = pool.submit(log.append_blocking, entry(0), opening(0))
            until(lambda: bool(deaths))
        with pytest.raises(Fault, match="audit_unavailable"):
            waiting.result()
    log.close()
    assert isinstance(deaths[0], OSError)
