"""Threads that cannot fail in silence."""

import threading
from collections.abc import Callable
from types import TracebackType


class _Guard:
    """Hands whatever ends its block, exits included, to `on_error`, and swallows it."""

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self._on_error(error)
        return True


def guarded(name: str, body: Callable[[], None], on_error: Callable[[BaseException], None]) -> threading.Thread:
    """A thread, not yet started. `on_error` is called in it with any exception of `body`, after which it ends.

    It does not keep the process alive: what must be done before the end is done by a `close`.
    """

    def run() -> None:
        with _Guard(on_error):
            body()

    return threading.Thread(target=run, name=name, daemon=True)
