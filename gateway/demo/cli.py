"""`oncegate demo` at the edge: words or JSON, serve until Ctrl-C or end, and an exit code that tells."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer

from contracts.edge.output import emit_json, say, warn
from contracts.text import Text
from gateway.demo.layout import Layout
from gateway.demo.message_log import Wanted, choose
from gateway.demo.outcome import Outcome
from gateway.demo.processes import Processes
from gateway.demo.run import play
from gateway.demo.story import next_steps, summary
from gateway.roles import stop_signals


def demo(directory: Path, wanted: Wanted, once: bool, as_json: bool) -> None:
    """Play it on the log that is wanted. With `as_json` one object on stdout; the story then goes to stderr."""
    tell = warn if as_json else say

    def serve_on(outcome: Outcome, layout: Layout, processes: Processes) -> None:
        if as_json:
            emit_json(outcome.as_json())
        for line in (*summary(outcome), *(() if once else next_steps(outcome, layout))):
            tell(line)
        if not once:
            with stop_signals() as stop:
                processes.watch(stop)

    log = choose(wanted)
    with _terminable():
        wrong = play(directory, log, tell, serve_on).wrong()
    if wrong:
        warn(Text(f"演示未达预期:{', '.join(wrong)}", f"Not as planted: {', '.join(wrong)}"))
        raise typer.Exit(1)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the demo on its way out, so that no process of it stays behind."""

    def end(number: int, _: object) -> NoReturn:
        raise typer.Exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
