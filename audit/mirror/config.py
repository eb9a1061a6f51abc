"""The configuration of a mirror: one TOML file. Paths only; no key is read here.

[mirror]
directory = "mirror"                       # one tlog-tiles directory for each slot, status.json, evidence/
gateways = ["https://gw-1.example:8443"]   # which log each serves, it is asked
ca = "keys/gateways.crt.pem"               # optional: what verifies their certificates; else the system's
certificate = "keys/auditor.crt.pem"       # ours: the registry lists it with the auditor
private_key = "keys/auditor-tls.pem"
metrics = "/var/lib/node_exporter/oncegate.prom"   # optional: a text file for Prometheus
every_s = 5
name = "mirror.example/oncegate"           # optional, with key: confirms to gateways what it holds
key = "keys/mirror.pem"                    # made by: oncegate-audit keygen mirror

[[mirror.witnesses]]                       # optional: what a witness cosigned, a gateway must show
url = "https://witness.example:8500"
vkey = "witness.example/oncegate+…"
ca = "keys/witness-ca.pem"                 # optional, as above

[registry]
directory = "registry"                     # manifest.jws and parts/, as `oncegate control build` wrote them
root_key = "registry-root.pub.pem"         # the pin
root_alg = "EdDSA"
"""

from dataclasses import dataclass
from pathlib import Path

from audit.fetch import Endpoint, is_url
from audit.witness.cosigning import WitnessAddress
from audit.witness.pinned import witness_in
from contracts.algorithms import SUITES
from contracts.edge.config import Section, read_toml
from contracts.text import Text

_NO_GATEWAY = Text("gateways 至少要有一个网关地址", "gateways needs at least one address")
_HALF_KEY = Text("name 与 key 必须同时给出", "name and key go together")
_BAD_URL = Text("应为 http(s)://主机[:端口]", "must be http(s)://host[:port]")


@dataclass(frozen=True, slots=True)
class MirrorConfig:
    """A mirror."""

    directory: Path
    gateways: tuple[Endpoint, ...]
    metrics: Path | None
    every_s: float
    registry: Path
    root_key: Path
    root_alg: str
    own: tuple[str, Path] | None = None  # name and key file: what is held is confirmed to the gateways
    witnesses: tuple[WitnessAddress, ...] = ()


def load(path: Path) -> MirrorConfig:
    """The configuration at `path`; raises `UserError`."""
    outermost = read_toml(path)
    mirror, registry = outermost.section("mirror"), outermost.section("registry")
    found = MirrorConfig(
        directory=mirror.path("directory"),
        gateways=_gateways(mirror),
        metrics=mirror.path("metrics", None),
        every_s=mirror.number("every_s", 5.0, low=0.05, high=30),
        registry=registry.path("directory"),
        root_key=registry.path("root_key"),
        root_alg=registry.choice("root_alg", SUITES, "EdDSA"),
        own=_own(mirror),
        witnesses=tuple(map(witness_in, mirror.sections("witnesses", ()))),
    )
    outermost.done()
    return found


def _own(section: Section) -> tuple[str, Path] | None:
    name, key = section.text("name", None), section.path("key", None)
    if name is None and key is None:
        return None
    if name is None or key is None:
        raise section.mistake(_HALF_KEY, "name" if key is None else "key")
    return name, key


def _gateways(section: Section) -> tuple[Endpoint, ...]:
    urls = section.texts("gateways")
    if not urls:
        raise section.mistake(_NO_GATEWAY, "gateways")
    if not all(map(is_url, urls)):
        raise section.mistake(_BAD_URL, "gateways")
    ca, client = section.path("ca", None), (section.path("certificate"), section.path("private_key"))
    return tuple(Endpoint(url.rstrip("/"), ca, client) for url in urls)
