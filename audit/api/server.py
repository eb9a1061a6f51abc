"""The HTTP server under the application: limits, and errors before any route.

1. A connection that has not sent a whole header within `IDLE_SECONDS` is closed; above `MAX_CONNECTIONS` a new one is
   closed at once. Bodies have limits of their own (`bodies`), and are never decompressed.
2. What is not even HTTP gets a problem document that says nothing: nobody has said who they are.
3. No access log: who asks what stands in the log of questions, and nowhere else.
"""

import asyncio
from typing import Any, Final

from aiohttp import web

from audit.api import problems
from contracts.errors import Fault

MAX_CONNECTIONS: Final = 256
IDLE_SECONDS: Final = 30.0
LIMITS: Final[dict[str, Any]] = {
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": IDLE_SECONDS,
    "lingering_time": 2.0,
    "max_field_size": 8192,
    "max_headers": 64,
    "max_line_size": 4096,
}


class Connection(web.RequestHandler):
    """One client connection."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Rule 1."""
        super().connection_made(transport)
        if self._manager is not None and len(self._manager.connections) > MAX_CONNECTIONS:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Rule 2. The words of the parser's error are not sent: they quote what the client sent."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun already")
        if status == 400 or not isinstance(exc, Exception):
            response = problems.response(Fault("http_malformed"))
        else:
            response = problems.of_failure(exc)
        response.force_close()
        return response


class Server(web.Server):
    """Makes `Connection`s."""

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs the application on a `Server`."""

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, shutdown_timeout=10.0, **LIMITS)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        limits = {name: value for name, value in self._kwargs.items() if name != "access_log_class"}
        return Server(made.request_handler, request_factory=made.request_factory, **limits)
