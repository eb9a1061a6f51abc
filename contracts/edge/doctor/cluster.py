"""A Kafka cluster: reachable, trusted, of a release that was tried, and with the rights that are needed and no more.

1. Every server of `bootstrap` should answer; one that does is enough to work.
2. A broker's certificate is judged as our own is. Without TLS everybody on the way reads who asks for what.
3. Releases other than those tried may work: a warning.
4. A right that is missing stops us. A right that is too much would let a stolen password do what nobody needs:
   write evidence that only departments write, delete a topic, change how it is kept.
"""

import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from contracts.edge import system_errors
from contracts.edge.doctor import certificates
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.text import Text

if TYPE_CHECKING:
    from contracts.edge.transport.kafka import KafkaTransport
    from contracts.edge.transport.kafka_admin import KafkaAdmin

TESTED: Final = ("4.3",)
PATIENCE_S: Final = 4.0
CONNECT_S: Final = 3.0
_NAMED: Final = 3  # topics in one sentence
_DANGEROUS: Final = frozenset(("Delete", "Alter", "AlterConfigs"))

_AWAY = Text("服务器 {server} 不应答:{why}", "Server {server} does not answer: {why}")
_START = Text("请检查该服务器、网络与 bootstrap。", "Check that server, the network, and bootstrap.")
_UNTRUSTED = Text("不信任服务器 {server} 的证书:{why}", "The certificate of {server} is not trusted: {why}")
_CA = Text("请核对 ca_file 与证书中的主机名。", "Check ca_file and the host names in the certificate.")
_CLEAR = Text("与消息日志的连接未加密、未认证", "The connection to the log is neither encrypted nor authenticated")
_SECURE = Text('生产环境请使用 security = "sasl_tls"。', 'Use security = "sasl_tls" outside of trials.')
_UNTRIED = Text("Kafka {release} 未经测试(已测试:{tested})", "Kafka {release} has not been tried (tried: {tested})")
_TRY = Text(
    "请先在测试环境验证,或使用已测试的版本。", "Try it on a test installation first, or use one that was tried."
)
_LACKS = Text("缺少权限 {operations}:{topics}", "Not permitted to {operations}: {topics}")
_GRANT = Text("请集群管理员授权;命令见 oncegate topics plan。",
              "Ask the cluster's administrator; oncegate topics plan prints the commands.")  # fmt: skip
_TOO_MUCH = Text("拥有不需要的权限 {operations}:{topics}", "Permitted more than is needed, {operations}: {topics}")
_REVOKE = Text(
    "请为各角色使用各自的账号,并收回多余的权限(见 oncegate topics plan)。",
    "Give each role an account of its own and take back what is too much (see oncegate topics plan).",
)
_UNKNOWN = Text("集群未说明 {topics} 的权限", "The cluster does not say what is permitted on {topics}")
_ASK = Text("请集群管理员核对授权。", "Ask the cluster's administrator to compare the rights.")


@dataclass(frozen=True, slots=True)
class Server:
    """One server of `bootstrap`. `why` empty: it answers; `distrusted`: it does, with a certificate not accepted."""

    name: str
    why: Text | None = None
    distrusted: bool = False
    certificate: certificates.Certificate | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """What is needed and what there is, by topic; of `there` None: unknown."""

    needed: Mapping[str, frozenset[str]]
    there: Mapping[str, frozenset[str] | None]


def judge_servers(servers: Sequence[Server], encrypted: bool, now: int) -> Iterator[Finding]:
    """Rules 1 and 2."""
    level = warning if any(one.why is None for one in servers) else failed
    for one in servers:
        if one.why is not None:
            what, remedy = (_UNTRUSTED, _CA) if one.distrusted else (_AWAY, _START)
            yield level(what.fill(server=one.name, why=one.why), remedy)
        else:
            yield from _answered(one, now)
    if not encrypted:
        yield warning(_CLEAR, _SECURE)


def _answered(server: Server, now: int) -> Iterator[Finding]:
    found = () if server.certificate is None else certificates.judge(server.certificate, now, None)
    yield from (finding for finding in found if finding.remedy is not None)
    yield ok(f"{server.name} 应答", f"{server.name} answers")


def judge_release(release: str) -> Finding:
    """Rule 3."""
    if release in TESTED:
        return ok(f"Kafka {release}", f"Kafka {release}")
    return warning(_UNTRIED.fill(release=release or "?", tested=", ".join(TESTED)), _TRY)


def judge_rights(rights: Rights) -> Iterator[Finding]:
    """Rule 4; one `ok` if there is nothing to say."""
    found = [*_lacking(rights), *_excessive(rights), *_unknown(rights)]
    yield from found
    if not found:
        count = len(rights.needed)
        yield ok(f"{count} 个主题的权限恰如所需", f"Exactly the rights that are needed, on {count} topics")


def _lacking(rights: Rights) -> Iterator[Finding]:
    grouped: dict[frozenset[str], list[str]] = {}
    for topic, needed in rights.needed.items():
        there = rights.there.get(topic, frozenset())
        if there is not None and (lacking := needed - there):
            grouped.setdefault(lacking, []).append(topic)
    return (failed(_of(_LACKS, operations, topics), _GRANT) for operations, topics in grouped.items())


def _excessive(rights: Rights) -> Iterator[Finding]:
    grouped: dict[frozenset[str], list[str]] = {}
    for topic, there in rights.there.items():
        needed = rights.needed.get(topic, frozenset())
        if excess := (there or frozenset()) & (_DANGEROUS | {"Write"}) - needed:
            grouped.setdefault(excess, []).append(topic)
    return (warning(_of(_TOO_MUCH, operations, topics), _REVOKE) for operations, topics in grouped.items())


def _unknown(rights: Rights) -> Iterator[Finding]:
    topics = [topic for topic, there in rights.there.items() if there is None]
    if topics:
        yield warning(_of(_UNKNOWN, frozenset(), topics), _ASK)


def _of(what: Text, operations: frozenset[str], topics: Sequence[str]) -> Text:
    return what.fill(operations="/".join(sorted(operations)), topics=some(topics))


def some(topics: Sequence[str]) -> str:
    """Topics in a sentence: the first few, and how many more."""
    more = len(topics) - _NAMED
    return ", ".join(topics[:_NAMED]) + (f" (+{more})" if more > 0 else "")


# --- gathering ---------------------------------------------------------------------------------------------------


def servers(transport: "KafkaTransport") -> tuple[Sequence[Server], bool]:
    """Every server of `bootstrap`, asked by itself; whether TLS is used. Raises `UserError`."""
    context = transport.options().get("ssl_context")
    return [_asked(name, context) for name in transport.bootstrap.split(",")], context is not None


def _asked(name: str, context: ssl.SSLContext | None) -> Server:
    host, _, port = name.rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), CONNECT_S) as plain:
            if context is None:
                return Server(name)
            with context.wrap_socket(plain, server_hostname=host) as tls:
                der = tls.getpeercert(binary_form=True) or b""
        return Server(name, certificate=certificates.from_der(der, name))
    except ssl.SSLCertVerificationError as error:
        return Server(name, Text(error.verify_message, error.verify_message), distrusted=True)
    except (OSError, ValueError) as error:
        why = system_errors.why(error) if isinstance(error, OSError) else Text("TLS", "TLS")
        return Server(name, why)


def rights_of(admin: "KafkaAdmin", needed: Mapping[str, frozenset[str]], others: Iterable[str] = ()) -> Rights:
    """What who asks may do with the topics that matter to it, and with `others`. Raises our errors."""
    return Rights(needed, admin.permitted(dict.fromkeys((*needed, *others))))
