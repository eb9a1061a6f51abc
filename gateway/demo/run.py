"""The demo, from an empty directory to a log that noticed one changed byte. Composition only.

Adapters, ingest and serve are real processes with this installation's own commands; the demo itself only writes
their files, plants the hostile messages, plays the client and the auditor, and counts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.notes import NoteKey, parse_vkey
from audit.receipts import Level
from audit.verify import Report, verify
from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.transport import Reader, open_transport
from contracts.envelope import Keyring
from contracts.errors import Fault, UserError
from contracts.rejects import rejects_topic
from contracts.streams import Stream
from contracts.text import Text
from gateway.client import TokenClient, tls_context
from gateway.config import load
from gateway.control.build import built_snapshot, publish
from gateway.demo import departments, handover, hostile, message_log, morning, tamper
from gateway.demo.data import Planted, generate
from gateway.demo.layout import ADAPTERS, APPS, WITH_CERTIFICATE, Layout, only_demo, prepare
from gateway.demo.message_log import MessageLog
from gateway.demo.outcome import Outcome
from gateway.demo.processes import Processes, command
from gateway.ingest.state import STALE, feed_state
from gateway.node import Node, opened
from gateway.store.database import StoreAbsent
from gateway.store.reader import Reader as StoreReader
from gateway.topics import UNVERIFIED_TOPIC

SEED = 20260302
ATTACKED = Stream("market-regulation", "market-regulation-1", "cn.business-licence")
OVERDUE = Stream("traffic-police", "traffic-police-1", "cn.vehicle-registration")
INSIDER = "household-bureau-1"
_PATIENCE = 300.0  # a process that ends is noticed at once; a busy machine is only slow

Tell = Callable[[Text], None]
ServeOn = Callable[[Outcome, Layout, Processes], None]
Reports = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A demo that serves: what its acts need."""

    layout: Layout
    planted: Planted
    processes: Processes
    node: Node
    clients: Mapping[str, TokenClient]
    log_key: NoteKey
    tell: Tell

    def store(self) -> StoreReader:
        return self.node.stores().open_current()


def play(directory: Path, log: MessageLog, tell: Tell, serve_on: ServeOn | None = None) -> Outcome:
    """The whole demo below `directory`; everything runs until `serve_on`, called at the end, returns."""
    started = time.monotonic()
    with ExitStack() as stack:
        scene = _set_up(directory.absolute(), log, tell, stack)
        reports = _publish_evidence(scene)
        hostile_messages = _plant(scene)
        _wait_until_served(scene, reports, hostile_messages)
        ready = time.monotonic() - started
        ingested = _ingested(scene)
        tell(Text(f"就绪,用时 {ready:.1f} 秒", f"Ready after {ready:.1f} s"))
        visits = _morning(scene)
        outcome = Outcome(
            message_log=log.wanted.kind,
            adapters=departments.published(reports),
            ingested=ingested,
            messages_rejected=_rejects(scene),
            planted_rows=scene.planted.bad_rows,
            planted_messages=hostile_messages,
            visits=visits,
            receipts_verified=sum(_receipt_holds(scene, one) for one in visits),
            audit=_verify(scene),
            tamper_detected=tamper.detects_one_byte(scene.layout.audit_dir, lambda: _verify(scene).difference is None),
            ready=ready,
            seconds=time.monotonic() - started,
        )
        if serve_on is not None:
            serve_on(outcome, scene.layout, scene.processes)
        return outcome


# --- setting up ------------------------------------------------------------------------------------------------


def _set_up(directory: Path, log: MessageLog, tell: Tell, stack: ExitStack) -> Scene:
    held = stack.enter_context(only_demo(directory))
    stack.enter_context(message_log.ready(log, tell))
    layout = prepare(directory, log)
    today = datetime.fromtimestamp(now_ms() / 1000, UTC).date()  # what is valid and what has lapsed is as of today
    planted = generate(layout.root / "departments", SEED, today=today)
    departments.write_configurations(layout)
    _publish_registry(layout, tell)
    node = stack.enter_context(opened(layout.node_config))
    processes = stack.enter_context(Processes(layout.root / "logs", held))
    for role in ("ingest", "serve"):
        processes.start(role, [command("oncegate"), role, "--config", str(layout.node_config)])
    handover.write(layout, morning.visits(planted.cast))
    tell(
        Text(
            f"三个部门导出 {planted.rows} 行(其中 {planted.bad_rows} 行是坏行)",
            f"Three departments exported {planted.rows} rows, {planted.bad_rows} of them bad",
        )
    )
    clients = {app: _client(layout, app) for app in APPS}
    log_key = parse_vkey(layout.vkey.read_text("ascii").strip())
    return Scene(layout, planted, processes, node, clients, log_key, tell)


def _publish_registry(layout: Layout, tell: Tell) -> None:
    root = keys.load_public_key(layout.public("registry-root"), "EdDSA")
    transport = open_transport(load(layout.node_config).log)
    registry = built_snapshot(layout.registry, root, now_ms())
    message_log.create_topics(layout.message_log, transport, registry, tell)
    publish(layout.registry, root, transport)


def _client(layout: Layout, app: str) -> TokenClient:
    name = f"app-{app}"
    key = keys.load_signing_key(layout.private(name), "ES256")
    if app == WITH_CERTIFICATE:
        context = tls_context(layout.certificate("tls"), layout.certificate(name), layout.private(name))
        return TokenClient(layout.base_url, app, context, key, binding="mtls")
    return TokenClient(layout.base_url, app, tls_context(layout.certificate("tls")), key)


def _publish_evidence(scene: Scene) -> Reports:
    """The three departments at the same time; the report of each."""
    for adapter in ADAPTERS:
        config = str(scene.layout.adapter_config(adapter))
        scene.processes.start(adapter, [command("oncegate-adapter"), "run", config, "--json"])
    reports = [scene.processes.result(adapter) for adapter in ADAPTERS]
    sums = departments.published(reports)
    scene.tell(
        Text(
            f"适配器签名并发布 {sums.published} 条,逐行报告并拒绝 {sums.refused} 行",
            f"Their adapters signed and published {sums.published} records and refused {sums.refused} rows, each named",
        )
    )
    return reports


def _plant(scene: Scene) -> int:
    insider = keys.load_signing_key(scene.layout.private(f"adapter-{INSIDER}"), ADAPTERS[INSIDER])
    keyring = Keyring(scene.node.zone_keys())
    count = hostile.plant(scene.node.transport, ATTACKED, scene.node.registry.current(), keyring, insider)
    scene.tell(
        Text(
            f"演示扮演攻击者,向日志写入 {count} 条伪造、重放、错钥的消息",
            f"The demo plays an attacker and writes {count} messages into the log: forged, replayed, under wrong keys",
        )
    )
    return count


# --- waiting ---------------------------------------------------------------------------------------------------


def _wait_until_served(scene: Scene, reports: Reports, hostile_messages: int) -> None:
    """Until ingest has all that was published, every planted message is rejected, and the gateway answers."""
    heads = departments.heads(reports, scene.node.registry.current())
    client = next(iter(scene.clients.values()))
    wait = scene.processes.wait_until
    wait(Text("入库", "ingest"), lambda: _complete(scene, heads), _PATIENCE)
    wait(Text("退回植入的消息", "rejects"), lambda: _rejects(scene) >= hostile_messages, _PATIENCE)
    wait(Text("服务就绪", "the gateway"), lambda: _answers(client), _PATIENCE)


def _complete(scene: Scene, heads: Mapping[Stream, object]) -> bool:
    """Whether every stream has reached its head and a statement that matched."""
    try:
        with scene.store() as store:
            found = {stream: state.head for stream, state in store.all_streams() if state.as_of is not None}
    except StoreAbsent:
        return False
    return all(found.get(stream) == head for stream, head in heads.items())


def _rejects(scene: Scene) -> int:
    """Messages on the reject topics."""
    topics = [UNVERIFIED_TOPIC, *(rejects_topic(adapter) for adapter in ADAPTERS)]
    with scene.node.transport.reader() as reader:
        return sum(_length(reader, topic) for topic in topics)


def _length(reader: Reader, topic: str) -> int:
    return reader.end(topic) - reader.earliest(topic)


def _answers(client: TokenClient) -> bool:
    try:
        return client.send("GET", "/readyz", None, {})[0] == 200
    except OSError:
        client.close()
        return False


def _ingested(scene: Scene) -> int:
    """Records that ingest accepted and holds."""
    with scene.store() as store:
        return sum(state.live - state.rejected for _, state in store.all_streams())


# --- the morning, and what an auditor does with it ---------------------------------------------------------------


def _morning(scene: Scene) -> tuple[morning.Answered, ...]:
    overdue = Text("对账单过期", "a feed to be overdue")
    scene.processes.wait_until(overdue, lambda: _stale(scene), _PATIENCE)
    return tuple(_visit(scene, one) for one in morning.visits(scene.planted.cast))


def _stale(scene: Scene) -> bool:
    with scene.store() as store:
        return feed_state(dict(store.all_streams())[OVERDUE], now_ms() // 1000).state == STALE


def _visit(scene: Scene, one: morning.Visit) -> morning.Answered:
    try:
        answered = morning.visit(one, scene.clients[one.app])
    except (OSError, PermissionError, Fault) as error:
        what = Text(f"窗口请求失败:{error}", f"A request of the window failed: {error}")
        raise UserError(what, str(scene.processes.logs)) from None
    scene.tell(morning.line(answered))
    return answered


def _receipt_holds(scene: Scene, one: morning.Answered) -> bool:
    """Whether the receipt verifies up to a signed head of the log; waits for the next checkpoint if need be."""
    client = scene.clients[one.visit.app]
    found: list[Level | Fault] = []

    def settled() -> bool:
        found.append(morning.verify(one, client, scene.log_key))
        return found[-1] is not Level.DURABLE

    scene.processes.wait_until(Text("检查点", "a checkpoint"), settled, _PATIENCE)
    return isinstance(found[-1], Level)


def _verify(scene: Scene) -> Report:
    return verify(scene.layout.audit_dir, scene.log_key)
