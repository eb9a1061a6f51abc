"""A whole small installation on real files and real processes: three departments, a node, two apps that ask."""

import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.edge import keys
from contracts.edge.clock import now_ms
from contracts.edge.transport import open_transport
from gateway.client import TokenClient, tls_context
from gateway.config import load
from gateway.control.build import publish
from gateway.demo import departments
from gateway.demo.data import Cast, generate
from gateway.demo.layout import ADAPTERS, Layout, only_demo, prepare
from gateway.demo.processes import Processes, command
from tests.waiting import until

PATIENCE_S = 60.0
MARKET = "market-regulation-1"
APP = "approval-windows"


@dataclass(slots=True)
class Installation:
    """`asked` counts the questions of `lookups`, `failed` those that were not answered with 200."""

    layout: Layout
    cast: Cast
    processes: Processes
    asked: int = 0
    failed: list[Any] = field(default_factory=list)
    answers: list[frozenset[str]] = field(default_factory=list)  # each other than the one before it

    @property
    def root(self) -> Path:
        return self.layout.root

    @property
    def config(self) -> Path:
        return self.layout.node_config

    def run(self, *arguments: str, code: int = 0) -> str:
        """One command to its end; what it printed."""
        done = subprocess.run(
            [command(arguments[0]), *arguments[1:]], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout if code == 0 else done.stderr + done.stdout

    def oncegate(self, *arguments: str, code: int = 0) -> str:
        return self.run("oncegate", *arguments, "--config", str(self.config), code=code)

    def adapter(self, adapter: str, *options: str, code: int = 0) -> Any:
        config = str(self.layout.adapter_config(adapter))
        return json.loads(self.run("oncegate-adapter", "run", config, "--json", *options, code=code))

    def start(self, *roles: str) -> None:
        for role in roles:
            self.processes.start(role, [command("oncegate"), role, "--config", str(self.config)])

    def stop(self, role: str) -> None:
        process = self.processes.running.pop(role)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0

    def logged(self, role: str, event: str) -> list[dict[str, Any]]:
        """The lines of a process's log with this event."""
        lines = (self.processes.logs / f"{role}.log").read_text("utf-8").splitlines()
        return [line for line in map(json.loads, lines) if line["event"] == event]

    def client(self) -> TokenClient:
        layout, name = self.layout, f"app-{APP}"
        context = tls_context(layout.certificate("tls"), layout.certificate(name), layout.private(name))
        key = keys.load_signing_key(layout.private(name), "ES256")
        return TokenClient(layout.base_url, APP, context, key, binding="mtls")

    def ask(self, client: TokenClient) -> tuple[int, frozenset[str]]:
        """One lookup of a business licence: status, and what was released."""
        by = {"unified_social_credit_code": self.cast.restaurateur.credit_code}
        purpose = {"service_item": "cn.open-restaurant", "case": "CY-2026-000118", "clerk": "clerk-0412"}
        status, _, answer = client.post("/v1/lookups", {**purpose, "evidence_type": "cn.business-licence", "by": by})
        if status != 200:
            self.failed.append(answer)
            return status, frozenset()
        return status, frozenset(record["sd_jwt"] for record in answer["evidence"])

    def wait_until_answered(self) -> None:
        """Until a lookup finds the licence, in a complete feed."""
        client = self.client()

        def answers() -> bool:
            try:
                return self.ask(client)[1] != frozenset()
            except OSError:
                client.close()
                return False

        until(answers)
        client.close()
        self.failed.clear()

    @contextmanager
    def lookups(self) -> Iterator[None]:
        """Questions one after the other in a thread of their own, for the length of a `with`."""
        over = threading.Event()
        thread = threading.Thread(target=self._ask_on, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(PATIENCE_S)

    def _ask_on(self, over: threading.Event) -> None:
        client = self.client()
        while not over.is_set():
            try:
                status, released = self.ask(client)
            except OSError as error:
                self.failed.append(error)
                client.close()
                continue
            self.asked += 1
            if status == 200 and self.answers[-1:] != [released]:
                self.answers.append(released)
        client.close()

    def rename_business(self, name: str) -> None:
        """The department changes the licence that `ask` asks for, and publishes it."""
        path = self.layout.department(MARKET) / "business-licences.csv"
        before, code, after = path.read_bytes().partition(self.cast.restaurateur.credit_code.encode())
        cells = after.split(b",", 2)
        path.write_bytes(before + code + b",".join((b"", name.encode("gb18030"), cells[2])))
        self.adapter(MARKET)


@contextmanager
def installed(root: Path, scale: float = 0.02) -> Iterator[Installation]:
    """Keys, registry on the log, three departments that have published; nothing runs yet."""
    with only_demo(root) as held:
        layout = prepare(root)
        planted = generate(root / "departments", 1, scale, today=datetime.fromtimestamp(now_ms() / 1000, UTC).date())
        departments.write_configurations(layout)
        pin = keys.load_public_key(layout.public("registry-root"), "EdDSA")
        transport = open_transport(load(layout.node_config).log)
        publish(layout.registry, pin, transport)
        with Processes(root / "logs", held) as processes:
            made = Installation(layout, planted.cast, processes)
            made.oncegate("topics", "apply")
            publish_all(made)
            yield made


def publish_all(made: Installation, adapters: Sequence[str] = tuple(ADAPTERS)) -> None:
    """The departments' adapters, at the same time."""
    for adapter in adapters:
        config = str(made.layout.adapter_config(adapter))
        made.processes.start(adapter, [command("oncegate-adapter"), "run", config, "--json"])
    for adapter in adapters:
        made.processes.result(adapter)
