"""The table `[supervision]` of a node's configuration.

[supervision]
topic = true                                  # the topic `supervision` of the zone's message log

[[supervision.webhooks]]
url = "https://supervision.example/oncegate"  # https only
key = "keys/supervision.pem"                  # Ed25519 (oncegate keygen webhook): signature v1a
secret = "keys/supervision.whsec"             # or, or also: a shared secret, whsec_…: signature v1
ca = "keys/supervision-ca.pem"                # optional: what verifies the receiver's certificate; else the system's

A sink's name stands in the audit log, in metrics and in warnings: host and port, and a digest of the whole URL, because
a path may be a secret of the receiver's, and another path is another receiver.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from contracts.algorithms import sha256
from contracts.edge.config import Section
from contracts.text import Text
from gateway.supervision import SUPERVISION_TOPIC

TOPIC_SINK: Final = f"topic:{SUPERVISION_TOPIC}"

_URL = Text("url 须为 https://主机[:端口][/路径][?查询]", "url must be https://host[:port][/path][?query]")
_KEY = Text("请填写 key(Ed25519 私钥)或 secret(共享密钥)", "It needs key (Ed25519) or secret (shared)")
_MAKE = Text("可用 oncegate keygen webhook 生成。", "oncegate keygen webhook makes one.")
_TWICE = Text("同一 url 出现两次", "The same url is there twice")
_NO_SERVE = Text("[supervision] 只用于有 [serve] 的节点", "[supervision] is for a node with [serve]")


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver. At least one of `key` and `secret` is there."""

    url: str
    key: Path | None = None
    secret: Path | None = None
    ca: Path | None = None

    @property
    def name(self) -> str:
        return f"webhook:{urlsplit(self.url).netloc}#{sha256(self.url.encode()).hex()[:12]}"


@dataclass(frozen=True, slots=True)
class SupervisionConfig:
    """What is to be on."""

    topic: bool = False
    webhooks: tuple[Webhook, ...] = ()

    @property
    def sinks(self) -> tuple[str, ...]:
        """The names of all sinks."""
        return (*((TOPIC_SINK,) if self.topic else ()), *(one.name for one in self.webhooks))


def read(section: Section | None, serving: bool) -> SupervisionConfig:
    """The table, None: nothing is on. Raises `UserError`."""
    if section is None:
        return SupervisionConfig()
    if not serving:
        raise section.mistake(_NO_SERVE)
    found: dict[str, Webhook] = {}
    for one in section.sections("webhooks", ()):
        webhook = _webhook(one)
        if webhook.name in found:
            raise one.mistake(_TWICE, "url")
        found[webhook.name] = webhook
    return SupervisionConfig(section.flag("topic", True), tuple(found.values()))


def _webhook(section: Section) -> Webhook:
    url = section.text("url")
    if not is_https(url):
        raise section.mistake(_URL, "url")
    webhook = Webhook(url, section.path("key", None), section.path("secret", None), section.path("ca", None))
    if webhook.key is None and webhook.secret is None:
        raise section.mistake(_KEY, "key", _MAKE)
    return webhook


def is_https(url: str) -> bool:
    """Whether a webhook can be sent there. A name and password in the URL are refused: they would be in the name."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")  # a label that is empty or too long: no name can be looked up
        whole = parts.port != 0 and bool(parts.hostname) and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        return False
    return whole and parts.scheme == "https" and "@" not in parts.netloc and not parts.fragment
