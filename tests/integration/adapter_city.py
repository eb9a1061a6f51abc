"""A small department for the adapter's tests: a licence export, keys, a zone, an embedded log, and its reader."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts import catalogue
from contracts.algorithms import VerifyKey
from contracts.edge.keys import create_hpke_key, create_signing_key, write_hpke_public, write_public_key
from contracts.edge.transport import Record
from contracts.edge.transport.embedded import EmbeddedTransport, embedded
from contracts.envelope import Keyring
from contracts.feeds import FULL_KEY, KEY, LiveRecord, Statement, open_statement
from contracts.hpke import DEFAULT_KEM, UnwrapKey
from contracts.messages import Evidence, log_keys, open_message
from contracts.registry import Adapter, AdapterKey, Snapshot
from contracts.registry.snapshot import Contents
from contracts.streams import Stream

TYPE_ID = "cn.food-handler-health"
STREAM = Stream("market", "market-1", TYPE_ID)
HEADER = (
    "证书编号",
    "姓名",
    "性别",
    "身份证号",
    "从业类别",
    "体检日期",
    "发证日期",
    "有效期至",
    "结论",
    "机构",
    "状态",
)
PERSON = "430102198703162829"
MAPPING = """
[streams.mapping]
key = ["证书编号"]
holders = [{ column = "身份证号", scheme = "cn.ric" }]
status = { column = "状态", codes = { "有效" = "valid", "作废" = "void" } }
validity = { from = "发证日期", until = "有效期至" }
[streams.mapping.fields]
certificate_number = "证书编号"
name = "姓名"
sex = { column = "性别", codes = { "男" = "male", "女" = "female" } }
work_category = { column = "从业类别", codes = { "餐饮服务" = "catering" } }
examined_on = "体检日期"
issued_on = "发证日期"
conclusion = { column = "结论", codes = { "合格" = "fit", "不合格" = "unfit" } }
examining_institution = "机构"
"""
ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from adapters.cli import main; main()")


def row(number: int, name: str = "周晓兰", status: str = "有效") -> tuple[str, ...]:
    """The certificate with this number."""
    return (
        f"{number:014}",
        name,
        "女",
        PERSON,
        "餐饮服务",
        "2025/10/2",
        "2025年10月07日",
        "20261006",
        "合格",
        "云州市疾病预防控制中心",
        status,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def stream(self) -> Any:
        """The report of the only stream."""
        return self.json["streams"][0]


@dataclass(frozen=True, slots=True)
class Department:
    """A directory with everything in it."""

    root: Path
    transport: EmbeddedTransport
    keyring: Keyring
    registry: Snapshot

    @property
    def config(self) -> Path:
        return self.root / "adapter.toml"

    @property
    def source(self) -> Path:
        return self.root / "certificates.csv"

    def write(self, rows: Iterable[Sequence[str]], encoding: str = "gb18030") -> None:
        """Replace the source file."""
        lines = [",".join(cells) + "\r\n" for cells in (HEADER, *rows)]
        self.source.write_bytes("".join(lines).encode(encoding))

    def adapter(self, *arguments: str) -> Outcome:
        """Run the command in a process of its own."""
        found = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.root,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in found.stderr, found.stderr
        return Outcome(found.returncode, found.stdout, found.stderr)

    def run(self, *arguments: str) -> Outcome:
        """`oncegate-adapter run adapter.toml --json`."""
        return self.adapter("run", "adapter.toml", "--json", *arguments)

    def records(self) -> list[Record]:
        """Everything in the topic."""
        with self.transport.reader() as reader:
            reader.assign({STREAM.topic: reader.earliest(STREAM.topic)})
            found: list[Record] = []
            while batch := reader.read(10_000, 0):
                found += batch
        return found

    def messages(self) -> list[Evidence]:
        """The verified messages in the topic, in order; of an erasure the one under the record's own key."""
        return [self.open(record) for record in self.records() if not record.key.startswith(b"@")]

    def open(self, record: Record) -> Evidence:
        assert record.value is not None
        found = open_message(self.keyring.open(record.value, STREAM), self.registry)
        assert isinstance(found, Evidence), found
        assert record.key in log_keys(found.claims.record, found.claims.operation)
        return found

    def statements(self) -> list[Statement]:
        """The verified statements in the topic, in order."""
        values = [record.value for record in self.records() if record.key in (KEY, FULL_KEY)]
        return [open_statement(self.keyring.open(value, STREAM), STREAM, self.registry)[0] for value in values if value]

    def live(self) -> dict[str, LiveRecord]:
        """What a node would hold after the topic: the highest number of each record, withdrawn ones left out."""
        newest: dict[str, Evidence] = {}
        for evidence in self.messages():
            known = newest.get(evidence.claims.record)
            if known is None or evidence.claims.position > known.claims.position:
                newest[evidence.claims.record] = evidence
        claims = (evidence.claims for evidence in newest.values() if evidence.claims.operation == "put")
        return {one.record: LiveRecord(one.record, one.position, one.identity) for one in claims}


ENVIRONMENT = {"PYTHONPATH": str(ROOT), "ONCEGATE_LANG": "en", "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "error"}


def department(root: Path, alg: str = "ES256") -> Department:
    """A new department in `root`, its topic created."""
    key = create_signing_key(root / "adapter.pem", alg)
    write_public_key(root / "adapter.pub.pem", key.public)
    zone = create_hpke_key(root / "zone.pem")
    write_hpke_public(root / "zone.pub.pem", zone.public_key())
    transport = embedded(root / "log")
    with transport.admin() as admin:
        admin.create_topic(STREAM.topic)
    (root / "adapter.toml").write_text(configuration(alg), "utf-8")
    return Department(root, transport, Keyring([UnwrapKey(DEFAULT_KEM, zone)]), _registry(alg, key.public))


def configuration(alg: str = "ES256", extra: str = "") -> str:
    """The adapter's TOML; `extra` goes into the stream."""
    return f"""
[adapter]
id = "market-1"
organisation = "market"
key = "adapter.pem"
alg = "{alg}"
outbox = "outbox.db"
[zone]
public_key = "zone.pub.pem"
[log]
kind = "embedded"
directory = "log"
[[streams]]
evidence_type = "{TYPE_ID}"
complete = true
{extra}
[streams.source]
files = ["certificates.csv"]
{MAPPING}"""


def _registry(alg: str, key: VerifyKey) -> Snapshot:
    adapter = Adapter("market-1", "market", "zone", (TYPE_ID,), (AdapterKey(alg, key.jwk),))
    return Snapshot(1, 2, 3, Contents(adapters=(adapter,), evidence_types=catalogue.evidence_types()))
