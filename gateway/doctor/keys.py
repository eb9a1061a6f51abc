"""The keys of a node: whole, private, and those that the registry lists.

1. Each private file by itself: `contracts.edge.doctor.files`.
2. The node's key is listed for this node and this zone; the audit log's key is its slot's; all keys of the zone that
   the registry lists are here, the active one above all. A zone key that it does not list opens nothing any more.
3. One key has one purpose.
4. The root's private key has no business on a node: who takes the node would take the registry.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from audit.notes import NoteSigner
from contracts.algorithms import SigningKey
from contracts.edge import keys
from contracts.edge.doctor import certificates, files
from contracts.edge.doctor.examine import KNOWN
from contracts.edge.doctor.files import PrivateFile
from contracts.edge.doctor.finding import Finding, failed, ok, warning
from contracts.hpke import DEFAULT_KEM, UnwrapKey
from contracts.registry import Zone
from contracts.registry.model import COMPROMISED
from contracts.text import Text
from gateway.config import NodeConfig, ServeConfig
from gateway.doctor.situation import Situation
from gateway.store.stores import Stores

T = TypeVar("T")

NODE = Text("节点密钥", "Node key")
ZONE = Text("区域密钥", "Zone key")
STORE = Text("存储密钥", "Store key")
TLS = Text("TLS 私钥", "TLS key")
LOG = Text("审计日志密钥", "Audit log key")
FORMER_LOG = Text("前一审计日志密钥", "Key of the audit log before")
SECRET = Text("连接消息日志的凭据", "Credential for the message log")
_LOG_SECRETS = ("password_file", "token_file", "private_key")

_UNLISTED = Text("注册库中没有本节点的密钥 {kid}", "The registry does not list this node's key {kid}")
_REGISTER = Text("请登记该公钥并重新发布注册库。", "Register its public half and publish the registry again.")
_OTHER_NODE = Text("注册库中该密钥属于 {zone} 的 {id}", "In the registry this key belongs to {id} in {zone}")
_COMPARE = Text("请核对 [node]。", "Compare it with [node].")
_NO_ZONE = Text("注册库中没有区域 {zone}", "The registry has no zone {zone}")
_LACKS = Text("缺少区域 {zone} 的{state}密钥 {kid}", "The {state} key {kid} of zone {zone} is missing")
_LIST_ALL = Text("请在 [keys] zone 中列出该区域全部私钥。", "List all private keys of the zone in [keys] zone.")
_SPARE = Text("注册库未登记区域密钥 {kid}", "The registry does not list the zone key {kid}")
_REMOVE = Text("确认日志中没有用它加密的数据后,可将其移除。", "Remove it once nothing in the log is encrypted to it.")
_STOLEN = Text("区域密钥 {kid} 登记为已泄露", "The registry says that the zone key {kid} is compromised")
_ROTATE = Text(
    "请确认各部门已改用新密钥,并按事故流程处理。", "See that departments use the new one; treat it as an incident."
)
_NO_SLOT = Text("注册库中没有审计日志 {slot}", "The registry lists no audit log {slot}")
_REGISTER_SLOT = Text("请登记后重新发布。", "Register it and publish again.")
_OTHER_LOG = Text("不是注册库为 {slot} 登记的密钥", "It is not the key that the registry lists for {slot}")
_COMPARE_LOG = Text("请核对 log_key 与注册库中的 vkey。", "Compare log_key with the slot's vkey in the registry.")
_TWICE = Text("同一密钥用于多处:{purposes}", "One key for several purposes: {purposes}")
_SEPARATE = Text("请为每个用途生成各自的密钥。", "Create a key for each purpose.")
_ROOT_HERE = Text("注册库根私钥存放在节点上", "The private key of the registry's root is on this node")
_OFFLINE = Text("请将其离线保管,节点只需公钥。", "Keep it offline: a node needs the public half only.")
_STATES: Mapping[str, Text] = {
    "active": Text("在用", "active"),
    "retired": Text("停用", "retired"),
    "compromised": Text("已泄露", "compromised"),
}


# --- judgements --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listing:
    """Whose a node key is, by the registry."""

    id: str
    zone: str


def judge_node(kid: str, own: Listing, listed: Listing | None, where: str) -> Finding:
    """Rule 2, the node's key."""
    if listed is None:
        return failed(_UNLISTED.fill(kid=kid), _REGISTER, where)
    if listed != own:
        return failed(_OTHER_NODE.fill(id=listed.id, zone=listed.zone), _COMPARE, where)
    return ok("节点密钥已登记", "The node's key is listed", where)


def judge_zone(own: Sequence[str], name: str, zone: Zone | None, where: str) -> Iterator[Finding]:
    """Rule 2, the zone's keys. `own`: the ids of those that are here."""
    if zone is None:
        yield failed(_NO_ZONE.fill(zone=name), _COMPARE, where)
        return
    listed = {key.wrap_key.kid: key.status for key in zone.keys}
    found = [*_missing(own, name, listed, where), *_surplus(own, listed, where)]
    yield from found
    if not found:
        yield ok(f"区域 {name} 的 {len(listed)} 个密钥齐全", f"All {len(listed)} keys of zone {name} are here", where)


def _missing(own: Sequence[str], name: str, listed: Mapping[str, str], where: str) -> Iterator[Finding]:
    for kid, status in listed.items():
        if kid not in own:
            yield failed(_LACKS.fill(zone=name, state=_STATES.get(status, status), kid=kid), _LIST_ALL, where)
        elif status == COMPROMISED:
            yield warning(_STOLEN.fill(kid=kid), _ROTATE, where)


def _surplus(own: Sequence[str], listed: Mapping[str, str], where: str) -> Iterator[Finding]:
    return (warning(_SPARE.fill(kid=kid), _REMOVE, where) for kid in own if kid not in listed)


def judge_log_key(own: str, slot: str, listed: str | None, where: str) -> Finding:
    """Rule 2, the audit log's key. `own`, `listed`: verifier keys; None: there is no such slot."""
    if listed is None:
        return failed(_NO_SLOT.fill(slot=slot), _REGISTER_SLOT, where)
    if own != listed:
        return failed(_OTHER_LOG.fill(slot=slot), _COMPARE_LOG, where)
    return ok("审计日志密钥已登记", "The audit log's key is listed", where)


def judge_purposes(found: Sequence[PrivateFile]) -> Iterator[Finding]:
    """Rule 3."""
    for kid, count in Counter(file.kid for file in found if file.kid).items():
        if count > 1:
            same = [file for file in found if file.kid == kid]
            purposes = Text(*(", ".join(file.purpose.pick(lang) for file in same) for lang in ("zh", "en")))
            yield failed(_TWICE.fill(purposes=purposes), _SEPARATE, same[0].path)


def judge_root(private: Path | None) -> Iterator[Finding]:
    """Rule 4. `private`: where the root's private key was found."""
    if private is not None:
        yield warning(_ROOT_HERE, _OFFLINE, private)


# --- gathering ---------------------------------------------------------------------------------------------------


def private_files(config: NodeConfig) -> list[PrivateFile]:
    """Every private file that the configuration names."""
    service = files.service_user(config.data_dir, config.file.file)
    return [files.gather(purpose, path, service, load) for purpose, path, load in _private(config)]


def _private(config: NodeConfig) -> Iterator[tuple[Text, Path, Callable[[], str]]]:
    yield NODE, config.node_key, lambda: keys.load_signing_key(config.node_key, config.node_alg).kid
    for path in config.zone_keys:
        yield ZONE, path, partial(zone_kid, path)
    yield STORE, config.store_key, lambda: _store_keys(config)
    if config.serve is not None:
        serve = config.serve
        yield TLS, serve.private_key, lambda: _private_only(serve.private_key)
        yield LOG, serve.log_key, lambda: keys.load_signing_key(serve.log_key, "EdDSA").kid
        before = serve.predecessor_key
        if before is not None and before.exists():  # it may go once that log is closed
            yield FORMER_LOG, before, partial(_former_kid, before)
    for name in _LOG_SECRETS:
        if config.log.has(name):
            path = config.log.path(name)
            yield SECRET, path, partial(_private_only, path)


def _former_kid(path: Path) -> str:
    return keys.load_signing_key(path, "EdDSA").kid


def zone_kid(path: Path) -> str:
    """The id of a zone's key; raises `UserError`."""
    return UnwrapKey(DEFAULT_KEM, keys.load_hpke_private(path)).public.kid


def _store_keys(config: NodeConfig) -> str:
    Stores(config.stores_dir, config.store_key).keys()
    return ""


def _private_only(path: Path) -> str:
    keys.require_private(path)
    return ""


def check_files(situation: Situation) -> Iterator[Finding]:
    """Rules 1, 3 and 4, and the server's certificate."""
    config = situation.config.need()
    found = private_files(config)
    for file in found:
        yield from files.judge(file)
    yield from judge_purposes(found)
    situation.root()
    yield from judge_root(_private_root(config))


def _private_root(config: NodeConfig) -> Path | None:
    """The private half beside the pin, by the name that `control new-root` gives."""
    path = config.root_key.with_name(config.root_key.name.replace(".pub", ""))
    if path == config.root_key or not path.exists():
        return None
    return path


def check_certificate(situation: Situation) -> Iterator[Finding]:
    """The server's certificate."""
    serve = situation.serve
    if serve is not None:
        found, _ = certificates.read(serve.certificate, serve.private_key)
        yield from certificates.judge(found, situation.now(), urlsplit(serve.base_url).hostname)


def check_listed(situation: Situation) -> Iterator[Finding]:
    """Rule 2. A key that cannot be read is told by `check_files`."""
    config, registry = situation.config.need(), situation.registry.need()
    node = _readable(lambda: keys.load_signing_key(config.node_key, config.node_alg))
    if node is not None:
        listed, _ = registry.node_keys.get(node.kid, (None, None))
        theirs = None if listed is None else Listing(listed.id, listed.zone)
        yield judge_node(node.kid, Listing(config.node_id, config.zone), theirs, str(config.node_key))
    own = [kid for path in config.zone_keys if (kid := _readable(partial(zone_kid, path))) is not None]
    yield from judge_zone(own, config.zone, registry.zones.get(config.zone), config.file.section("keys").where("zone"))
    if config.serve is not None:
        yield from _log_key(config.serve, situation)


def _log_key(serve: ServeConfig, situation: Situation) -> Iterator[Finding]:
    key: SigningKey | None = _readable(lambda: keys.load_signing_key(serve.log_key, "EdDSA"))
    slot = situation.registry.need().audit_slots.get(serve.slot)
    if key is not None:
        own = "" if slot is None else NoteSigner.of(slot.origin, key.key).public.vkey
        yield judge_log_key(own, serve.slot, None if slot is None else slot.vkey, str(serve.log_key))


def _readable(load: Callable[[], T]) -> T | None:
    try:
        return load()
    except KNOWN:
        return None
