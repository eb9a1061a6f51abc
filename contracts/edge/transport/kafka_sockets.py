"""Sockets for kafka-python's connections, closed whatever happens while they are being made.

kafka-python 3.0 leaves a socket open when connecting or the TLS handshake fails: one for each attempt while a broker
is away. This is its `_build_transport`, with that mended.
"""

from typing import Any

from kafka import errors
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport


def close_failures(manager: KafkaConnectionManager) -> KafkaConnectionManager:
    """The manager, which from now on makes its connections by this module."""

    async def build(node: Any, timeout_at: float | None = None) -> Any:
        sock = await _connected(manager, node, timeout_at)
        context = manager.config["ssl_context"]
        if context is None:
            return KafkaTCPTransport(manager._net, sock, host=node.host)
        return await _shaken(KafkaSSLTransport(manager._net, sock, host=node.host, ssl_context=context))

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
