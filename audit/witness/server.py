"""A witness as a process: HTTP around `Witness`, until a stop signal or until its store fails.

1. `POST /add-checkpoint` and `GET /{origin hash}/checkpoint` (https://c2sp.org/tlog-witness), `GET /livez`.
2. Requests are small: the largest checkpoint and proof, read within `BODY_SECONDS`. No log of who asks.
3. The file work is done in threads; a thread that waits for the disk holds nobody up but its own log.
"""

import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from audit.cosignatures import Cosigner
from audit.lines import alarm, info
from audit.witness.config import WitnessConfig, context_of, load
from audit.witness.keygen import cosigner_of
from audit.witness.protocol import MAX_REQUEST, Reply
from audit.witness.store import WitnessStore
from audit.witness.witness import Witness
from contracts.edge import system_errors
from contracts.errors import UserError
from contracts.text import Text

BODY_SECONDS: Final = 10.0
EXIT_FAILED: Final = 70  # EX_SOFTWARE: what is durable is decided by the next start

_CANNOT_LISTEN = Text("无法监听:{why}", "Cannot listen: {why}")


def run_witness(config_path: Path) -> int:
    """Witness until SIGTERM or SIGINT; the exit code. Raises `UserError`, `Corrupt`, OSError at start."""
    config = load(config_path)
    cosigner = cosigner_of(config.name, config.key)
    store = WitnessStore(config.store)
    try:
        return asyncio.run(_serve(config, cosigner, store))
    finally:
        store.close()


def build_app(witness: Witness) -> web.Application:
    """The routes (rule 1)."""
    calls = _Calls(witness)
    app = web.Application(client_max_size=MAX_REQUEST)
    app.add_routes(
        [
            web.post("/add-checkpoint", calls.add),
            web.get("/{name:[0-9a-f]{64}}/checkpoint", calls.checkpoint),
            web.get("/livez", calls.livez),
        ]
    )
    return app


@dataclass(frozen=True, slots=True)
class _Calls:
    witness: Witness

    async def add(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
        except TimeoutError:
            return _response(Reply(408, b"the request did not come whole\n"))
        return _response(await asyncio.to_thread(self.witness.add_checkpoint, body))

    async def checkpoint(self, request: web.Request) -> web.Response:
        note = await asyncio.to_thread(self.witness.checkpoint, request.match_info["name"])
        return _response(Reply(404, b"nothing was cosigned for this log\n") if note is None else Reply(200, note))

    async def livez(self, _: web.Request) -> web.Response:
        return _response(Reply(200, b"alive\n"))


def _response(reply: Reply) -> web.Response:
    headers = {"Content-Type": reply.content_type, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(status=reply.status, body=reply.body, headers=headers)


async def _serve(config: WitnessConfig, cosigner: Cosigner, store: WitnessStore) -> int:
    loop, stop, failures = asyncio.get_running_loop(), asyncio.Event(), list[BaseException]()

    def on_fatal(error: BaseException) -> None:
        failures.append(error)
        alarm("witness_failed", error=type(error).__name__, file=getattr(error, "filename", None))
        loop.call_soon_threadsafe(stop.set)

    witness = Witness(cosigner, config.logs, store, lambda: int(time.time()), on_fatal)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(build_app(witness), access_log=None, auto_decompress=False, keepalive_timeout=75.0)
    await runner.setup()
    try:
        await _listen(config, runner)
        info("witness_listening", port=runner.addresses[0][1], vkey=cosigner.public.vkey, logs=len(config.logs))
        await stop.wait()
    finally:
        await runner.cleanup()
    return EXIT_FAILED if failures else 0


async def _listen(config: WitnessConfig, runner: web.AppRunner) -> None:
    site = web.TCPSite(runner, config.host, config.port, ssl_context=context_of(config))
    try:
        await site.start()
    except OSError as error:
        why = _CANNOT_LISTEN.fill(why=system_errors.why(error))
        raise UserError(why, f"{config.host}:{config.port}", system_errors.remedy(error)) from None
