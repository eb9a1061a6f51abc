"""Does the registry make sense as a whole? Every reference meets something, every id stands once. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from contracts.errors import Fault
from contracts.registry import succession
from contracts.registry.snapshot import Contents
from contracts.service_items import unknown_references
from contracts.text import Text


def problems(contents: Contents) -> tuple[Text, ...]:
    """Everything that is wrong, in words; empty when the registry may be signed."""
    logs = succession.problems(contents.audit_slots)
    return (*_doubles(contents), *_dangling(contents), *_keys(contents), *logs, *_items(contents))


_ID_OF: Mapping[str, Callable[[Any], str]] = {
    "zones": lambda item: item.id,
    "organisations": lambda item: item.id,
    "adapters": lambda item: item.id,
    "apps": lambda item: item.id,
    "nodes": lambda item: item.id,
    "auditors": lambda item: item.id,
    "audit_slots": lambda item: item.slot,
    "evidence_types": lambda item: item.vct,
    "service_items": lambda item: item.id,
}


def _doubles(contents: Contents) -> Iterator[Text]:
    for kind, identify in _ID_OF.items():
        for name, count in Counter(map(identify, getattr(contents, kind))).items():
            if count > 1:
                yield Text(f"{kind}: {name} 出现 {count} 次", f"{kind}: {name} stands {count} times")


def _dangling(contents: Contents) -> Iterator[Text]:
    known = {kind: set(map(identify, getattr(contents, kind))) for kind, identify in _ID_OF.items()}
    known["types"] = {item.id for item in contents.evidence_types}
    for owner, kind, name in _references(contents):
        if name not in known[kind]:
            yield Text(f"{owner} 引用了未登记的 {kind}:{name}", f"{owner} refers to {name}, which is not in {kind}")
    units = {(item.id, unit.id) for item in contents.organisations for unit in item.units}
    for app in contents.apps:
        if (app.organisation, app.unit) not in units:
            yield Text(
                f"apps {app.id}:单位没有处室 {app.unit}", f"apps {app.id}: {app.unit} is no unit of its organisation"
            )


def _references(contents: Contents) -> Iterator[tuple[str, str, str]]:
    for adapter in contents.adapters:
        owner = f"adapters {adapter.id}"
        yield owner, "organisations", adapter.organisation
        yield owner, "zones", adapter.zone
        yield from ((owner, "types", type_id) for type_id in adapter.evidence_types)
    for app in contents.apps:
        owner = f"apps {app.id}"
        yield owner, "organisations", app.organisation
        yield from ((owner, "service_items", item) for grant in app.grants for item in grant.service_items)
    for node in contents.nodes:
        yield f"nodes {node.id}", "zones", node.zone
    for slot in contents.audit_slots:
        yield f"audit_slots {slot.slot}", "auditors", slot.auditor
        if slot.predecessor is not None:
            yield f"audit_slots {slot.slot}", "audit_slots", slot.predecessor


def _keys(contents: Contents) -> Iterator[Text]:
    rows: list[tuple[str, Any]] = [(f"adapters {item.id}", key) for item in contents.adapters for key in item.keys]
    rows += [(f"apps {item.id}", key) for item in contents.apps for key in item.keys]
    rows += [(f"nodes {item.id}", item) for item in contents.nodes]
    holders: dict[str, str] = {}
    for owner, key in rows:
        try:
            kid = key.verify_key().kid
        except Fault as fault:
            yield Text(f"{owner}:{fault.row.title.zh}", f"{owner}: {fault.row.title.en}")
            continue
        if holders.setdefault(kid, owner) != owner:
            yield Text(f"{owner} 与 {holders[kid]} 使用同一密钥", f"{owner} uses the same key as {holders[kid]}")
    yield from _unfit(contents)


def _unfit(contents: Contents) -> Iterator[Text]:
    for zone in contents.zones:
        if zone.active_key is None:
            yield Text(f"zones {zone.id}:没有有效密钥", f"zones {zone.id} has no active key")
    for app in contents.apps:
        if not app.keys and not app.certificates:
            yield Text(f"apps {app.id}:既无密钥也无证书", f"apps {app.id} has neither key nor certificate")
    served: Iterable[str] = [type_id for adapter in contents.adapters for type_id in adapter.evidence_types]
    for item in contents.evidence_types:
        if item.sharing == "none" and item.id in served:
            yield Text(
                f"{item.id} 不予共享,不能供数", f"{item.id} is not shared (sharing = none): no adapter may publish it"
            )


def _items(contents: Contents) -> Iterator[Text]:
    types = {(item.id, item.version): item for item in contents.evidence_types}
    for item in contents.service_items:
        yield from unknown_references(item, types)
