"""Control and the registry on real files and a real embedded log: built, published, followed, never backwards."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.algorithms import SigningKey
from contracts.edge import keys
from contracts.edge.config import read_toml
from contracts.edge.transport import Transport, open_transport
from contracts.errors import Corrupt, Fault, UserError
from contracts.registry import manifest
from gateway.control.build import MANIFEST_KEY, REGISTRY_TOPIC, build, publish, read_built
from gateway.demo.layout import Layout, prepare
from gateway.registry_source import RegistrySource

DAY = 86_400_000
NOW = 1_900_000_000_000


@pytest.fixture
def city(tmp_path: Path) -> Layout:
    return prepare(tmp_path / "city")


@pytest.fixture
def root(city: Layout) -> SigningKey:
    return keys.load_signing_key(city.private("registry-root"), "EdDSA")


@pytest.fixture
def log(city: Layout) -> Transport:
    config = city.root / "log.toml"
    config.write_text('kind = "embedded"\ndirectory = "log"\n', "utf-8")
    return open_transport(read_toml(config))


def follower(city: Layout, root: SigningKey, log: Transport, now: Callable[[], int] = lambda: NOW) -> RegistrySource:
    return RegistrySource(log, root.public, city.root / "state", now)


def test_versions_rise_and_name_the_one_before(city: Layout, root: SigningKey) -> None:
    first = read_built(city.registry, root.public)
    built = build(city.registry, root, NOW)
    second = manifest.read(read_built(city.registry, root.public).manifest, root.public)
    assert (built.version, second.version, second.previous) == (2, 2, first.digest)


def test_a_node_follows_what_is_published(city: Layout, root: SigningKey, log: Transport) -> None:
    build(city.registry, root, NOW)
    publish(city.registry, root.public, log)
    source = follower(city, root, log)
    assert source.refresh()
    assert source.current().version == 2
    assert {item.id for item in source.current().contents.adapters} == {
        "traffic-police-1",
        "household-bureau-1",
        "market-regulation-1",
    }
    build(city.registry, root, NOW)
    publish(city.registry, root.public, log)
    assert source.refresh()
    assert source.current().version == 3
    source.close()


def test_no_restart_accepts_a_lower_version(city: Layout, root: SigningKey, log: Transport) -> None:
    publish(city.registry, root.public, log)
    old = read_built(city.registry, root.public).manifest
    build(city.registry, root, NOW)
    publish(city.registry, root.public, log)
    first = follower(city, root, log)
    assert first.refresh()
    first.close()
    with log.writer() as writer:
        writer.write(REGISTRY_TOPIC, MANIFEST_KEY, old)
    again = follower(city, root, log)
    again.refresh()
    assert again.current().version == 2
    assert again.refused is not None
    assert again.refused.code == "registry_rollback"
    again.close()


def test_a_stranger_cannot_publish(city: Layout, root: SigningKey, log: Transport) -> None:
    build(city.registry, root, NOW)
    publish(city.registry, root.public, log)
    source = follower(city, root, log)
    source.refresh()
    stranger = SigningKey.generate("EdDSA")
    contents = source.current().contents
    forged = manifest.build(contents, stranger, 9, None, (NOW, NOW + DAY, NOW + 2 * DAY))
    with log.writer() as writer:
        writer.write(REGISTRY_TOPIC, MANIFEST_KEY, forged.manifest)
    assert not source.refresh()
    assert source.current().version == 2
    assert source.refused is not None
    assert source.refused.code == "registry_root_unknown"
    source.close()


def test_without_a_registry_and_past_its_validity_the_node_is_closed(
    city: Layout, root: SigningKey, log: Transport
) -> None:
    clock = [NOW]
    build(city.registry, root, NOW)
    source = follower(city, root, log, lambda: clock[0])
    with pytest.raises(Fault) as absent:
        source.current()
    assert absent.value.code == "registry_absent"
    publish(city.registry, root.public, log)
    source.refresh()
    clock[0] = NOW + 29 * DAY
    assert source.current().freshness(clock[0]) == "degraded"
    clock[0] = NOW + 30 * DAY
    with pytest.raises(Fault) as expired:
        source.current()
    assert expired.value.code == "registry_expired"
    source.close()


def test_what_was_seen_last_must_be_readable(city: Layout, root: SigningKey, log: Transport) -> None:
    publish(city.registry, root.public, log)
    (city.root / "state").mkdir()
    (city.root / "state" / "registry-seen.json").write_text("{}", "utf-8")
    source = follower(city, root, log)
    with pytest.raises(Corrupt):
        source.refresh()
    source.close()


@pytest.mark.parametrize(
    ("file", "before", "after", "words"),
    [
        ("registry.toml", 'auditor = "city-audit-office"', 'auditor = "nobody"', "nobody, which is not in auditors"),
        ("apps.toml", "cn.settle-household", "cn.settle", "cn.settle, which is not in service_items"),
        ("apps.toml", 'unit = "mobile"', 'unit = "garage"', "garage is no unit"),
        ("departments.toml", 'zone = "gov-extranet"', 'zone = "moon"', "moon, which is not in zones"),
        ("departments.toml", "household-bureau-1.pub", "traffic-police-1.pub", "Not a key of the kind EdDSA"),
        ("departments.toml", 'id = "household-bureau-1"', 'id = "traffic-police-1"', "traffic-police-1 stands 2 times"),
        ("departments.toml", "evidence_types =", "evidence_type =", "evidence_types is missing"),
        ("apps.toml", "per_day = 1000 ", "per_day = 0 ", "per_day is out of bounds"),
        (
            "apps.toml",
            "until = 2036-12-31T00:00:00+08:00",
            "until = 2036-12-31",
            "until must be a time with its offset",
        ),
        (
            "apps.toml",
            'keys = [{ alg = "ES256", public_key = "../keys/app-city-mobile.pub.pem" }]',
            "",
            "apps city-mobile has neither key nor certificate",
        ),
        ("apps.toml", 'en = "City mobile app"', 'fr = "Mobile"', "en is missing"),
        ("registry.toml", "[registry]", "[registri]", "[registry] must stand exactly once"),
    ],
)
def test_mistakes_of_an_author_are_told_and_nothing_is_signed(
    city: Layout, root: SigningKey, file: str, before: str, after: str, words: str
) -> None:
    path = city.registry / file
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")
    with pytest.raises(UserError) as mistake:
        build(city.registry, root, NOW)
    assert words in mistake.value.what.en
    assert manifest.read(read_built(city.registry, root.public).manifest, root.public).version == 1


def test_a_form_that_breaks_its_promise_is_not_signed(city: Layout, root: SigningKey) -> None:
    folder = city.registry / "evidence-types"
    folder.mkdir(exist_ok=True)
    table, schema = folder / "cn.dog-licence.toml", folder / "cn.dog-licence.schema.json"
    table.write_text(DOGS, "utf-8")
    schema.write_text(DOG_SCHEMA % 20, "utf-8")
    assert build(city.registry, root, NOW).version == 2

    schema.write_text(DOG_SCHEMA % 10, "utf-8")
    with pytest.raises(UserError) as told:
        build(city.registry, root, NOW)
    assert "needs a new version" in told.value.what.en
    assert "/number" in told.value.what.en
    assert manifest.read(read_built(city.registry, root.public).manifest, root.public).version == 2

    table.write_text(DOGS.replace("version = 1", "version = 2"), "utf-8")
    assert build(city.registry, root, NOW).version == 3

    (city.registry / "history" / "cn.dog-licence.1.json").write_text("[{}]", "utf-8")
    with pytest.raises(UserError) as told:
        build(city.registry, root, NOW)
    assert "damaged" in told.value.what.en


DOGS = """
id = "cn.dog-licence"
version = 1
in_force = 2024-05-01
names = { zh-CN = "犬证", en = "Dog licence" }
department = { zh-CN = "公安机关", en = "Police" }
sharing = "unconditional"
secrecy = "none"
holder_schemes = ["cn.ric"]
key_fields = ["number"]
[fields]
number = { label = { zh-CN = "证号", en = "Number" }, sensitivity = "personal" }
"""
DOG_SCHEMA = """{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {"number": {"type": "string", "maxLength": %d}},
  "required": ["number"],
  "additionalProperties": false
}"""
