"""Sockets for kafka-python's connections: what its `_build_transport` and `_sock_recv` do, three things mended.

1. Closed whatever happens while they are being made. kafka-python 3.0 leaves a socket open when connecting or the TLS
   handshake fails: one for each attempt while a broker is away.
2. Read in large pieces. It asks for 4 KB at a time. Each call gives up the interpreter's lock, which the thread that
   works on records then takes for as long as it likes: fetching costs both threads several times its own work.
3. What came before the end of a connection is read before the end is told; the end is met again at the next look.
   kafka-python drops it: so a login that the broker refused, and hung up after saying so, looked like a broken line.
"""

import ssl
from collections.abc import Callable
from typing import Any

from kafka import errors
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

RECEIVE_BYTES = 1024 * 1024

Received = tuple[bytes, Exception | None]

_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def _plain(sock: Any) -> Received:
    """Rule 2. What is left in the socket is announced again."""
    try:
        data = sock.recv(RECEIVE_BYTES)
    except _NOT_NOW:
        return b"", None
    except OSError as error:
        return b"", errors.KafkaConnectionError(error)
    return data, None if data else errors.KafkaConnectionError("socket disconnected")


def _tls(sock: Any) -> Received:
    """Rules 2 and 3. What TLS has decrypted is announced by nobody: it is taken to its end."""
    pieces: list[bytes] = []
    end: Exception | None = None
    try:
        while piece := sock.recv(RECEIVE_BYTES):
            pieces.append(piece)
        end = errors.KafkaConnectionError("socket disconnected")
    except _NOT_NOW:
        pass
    except OSError as error:
        end = errors.KafkaConnectionError(error)
    return b"".join(pieces), None if pieces else end


def _reading(transport: Any, receive: Callable[[Any], Received]) -> Any:
    transport._sock_recv = lambda: receive(transport._sock)
    return transport


def close_failures(manager: KafkaConnectionManager) -> KafkaConnectionManager:
    """The manager, which from now on makes its connections by this module."""

    async def build(node: Any, timeout_at: float | None = None) -> Any:
        sock = await _connected(manager, node, timeout_at)
        context = manager.config["ssl_context"]
        if context is None:
            return _reading(KafkaTCPTransport(manager._net, sock, host=node.host), _plain)
        transport = KafkaSSLTransport(manager._net, sock, host=node.host, ssl_context=context)
        return await _shaken(_reading(transport, _tls))

    manager._build_transport = build
    return manager


async def _connected(manager: KafkaConnectionManager, node: Any, timeout_at: float | None) -> Any:
    factory = KafkaNetSocket()
    failure = errors.KafkaConnectionError(f"{node.host} is not a known host")
    for address in factory.dns_lookup(node.host, node.port):
        sock = factory.socket(*address[:3])
        sock.setblocking(False)
        for option in manager.config["socket_options"]:
            sock.setsockopt(*option)
        try:
            return await factory.sock_connect(manager._net, sock, address[4], timeout_at=timeout_at)
        except (errors.KafkaError, OSError) as error:
            sock.close()
            failure = errors.KafkaConnectionError(f"{node.host}:{node.port}: {error}")
        except BaseException:
            sock.close()
            raise
    raise failure


async def _shaken(transport: Any) -> Any:
    try:
        await transport.handshake()
    except BaseException as error:
        transport.abort()
        if isinstance(error, OSError):  # ssl.SSLError is one
            raise errors.KafkaConnectionError(f"TLS: {error}") from error
        raise
    return transport
