"""The HTTP server under the application: limits against those who hold connections, and errors before any route.

1. Header: request line 4 KB, a field 8 KB, 64 fields. Body: `MAX_BODY`, never decompressed.
2. Time: a connection that has not sent a whole header within `IDLE_SECONDS` is closed, so a header that drips in
   keeps no connection; bodies have their own limit in `calls`.
3. Number: above `MAX_CONNECTIONS` a new connection is closed at once.
4. Calls in `HOT` go straight to their handler, past route table and middlewares: those handlers make a document of
   every error themselves. It saves a tenth of what an answer costs.
5. What is not even HTTP gets a problem document, too. No access log: addresses and bodies are nobody's business here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog
from aiohttp import web

from gateway.web.problems import Problem, log_internal, problem_response

MAX_CONNECTIONS: Final = 4096
IDLE_SECONDS: Final = 30.0
_FLUSH_LOOKS, _FLUSH_LOOK_SECONDS = 100, 0.02
_LIMITS: dict[str, Any] = {
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": IDLE_SECONDS,
    "lingering_time": 2.0,
    "max_field_size": 8192,
    "max_headers": 64,
    "max_line_size": 4096,
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
# (method, raw path) → handler
HOT: Final = web.AppKey("HOT", Mapping[tuple[str, str], Handler])

_log = structlog.get_logger("oncegate.serve")


class Connection(web.RequestHandler):
    """One client connection."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Rule 3."""
        super().connection_made(transport)
        server = self._manager
        if isinstance(server, GuardedServer) and server.is_full:
            _log.warning("too_many_connections", limit=server.limit)
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Rule 5. The words of the parser's error are not sent: they quote what the client sent."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun already")
        if status != 400 and isinstance(exc, Exception):
            log_internal(exc, request.path)
        response = problem_response(Problem("http_malformed" if status == 400 else "internal"))
        response.force_close()
        return response


class GuardedServer(web.Server):
    """Makes `Connection`s, and counts them."""

    limit = MAX_CONNECTIONS

    @property
    def is_full(self) -> bool:
        return len(self._connections) > self.limit

    @property
    def transports(self) -> list[asyncio.Transport]:
        """Of the connections that are open now."""
        return list(self._connections.values())

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class GuardedRunner(web.AppRunner):
    """Runs an application on a `GuardedServer` with the limits above."""

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, shutdown_timeout=10.0, **_LIMITS)

    async def cleanup(self) -> None:
        """Let requests in flight end; then end the connections, without waiting for each peer's TLS good-bye."""
        transports = self.server.transports if isinstance(self.server, GuardedServer) else []
        await super().cleanup()
        for _ in range(_FLUSH_LOOKS):
            if not any(transport.get_write_buffer_size() for transport in transports):
                break
            await asyncio.sleep(_FLUSH_LOOK_SECONDS)
        for transport in transports:
            transport.abort()
        await asyncio.sleep(_FLUSH_LOOK_SECONDS)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        limits = {name: value for name, value in self._kwargs.items() if name != "access_log_class"}
        handler = _dispatcher(self._app.get(HOT, {}), made.request_handler)
        return GuardedServer(handler, request_factory=made.request_factory, **limits)


def _dispatcher(hot: Mapping[tuple[str, str], Handler], others: _Handler) -> _Handler:
    """Rule 4."""

    async def dispatch(request: web.BaseRequest) -> web.StreamResponse:
        handler = hot.get((request.method, request.rel_url.raw_path))
        if handler is None or not isinstance(request, web.Request):
            return await others(request)
        return await handler(request)

    return dispatch
