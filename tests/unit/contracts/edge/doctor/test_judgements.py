"""What both doctors say of facts: each rule once, at its edges."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.edge.doctor import certificates, clock, cluster, disk, files, machine
from contracts.edge.doctor.certificates import Certificate
from contracts.edge.doctor.clock import Clock, Mark, Sample
from contracts.edge.doctor.cluster import Rights, Server
from contracts.edge.doctor.disk import GIB, MIB, FileSystem, Place
from contracts.edge.doctor.files import PrivateFile
from contracts.edge.doctor.finding import FAILED, OK, WARNING
from contracts.edge.transport.kafka_about import release_of
from contracts.text import Text

DAY = 86_400_000
HERE = Place(Path("/srv/data"))
DISK = FileSystem("/srv", "ext4", 1, 500 * GIB, 300 * GIB, 10**6, 10**6, read_only=False, places=(HERE,))
ELSEWHERE = Place(Path("/srv/heads"), sqlite=False)


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (DISK, OK),
        (replace(DISK, free=21 * GIB), OK),  # less than a tenth, but plenty
        (replace(DISK, free=20 * GIB - 1), WARNING),
        (replace(DISK, size=10 * GIB, free=2 * GIB), OK),
        (replace(DISK, size=10 * GIB, free=2 * GIB - 1), WARNING),
        (replace(DISK, free=512 * MIB - 1), FAILED),
        (replace(DISK, free_inodes=49_999), WARNING),
        (replace(DISK, free_inodes=999), FAILED),
        (replace(DISK, inodes=0, free_inodes=0), OK),  # btrfs counts none
        (replace(DISK, read_only=True), FAILED),
        (replace(DISK, kind="nfs4"), FAILED),
        (replace(DISK, kind="nfs4", places=(ELSEWHERE,)), OK),
        (replace(DISK, kind="tmpfs"), WARNING),
        (replace(DISK, kind="tmpfs", free=0), FAILED),  # the worst counts
    ],
)
def test_disks(found: FileSystem, level: str) -> None:
    assert disk.judge(found).level == level


MOUNTS = """22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:25 / /srv rw,relatime shared:1 - xfs /dev/sdb rw
31 30 0:26 / /srv/my\\040data rw - nfs4 host:/x rw
32 22 0:27 / /srv rw - zfs tank rw
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/etc/x", ("/", "ext4")),
        ("/srv/a", ("/srv", "zfs")),
        ("/srv/my data/b", ("/srv/my data", "nfs4")),
        ("/srvx", ("/", "ext4")),
    ],
)
def test_the_mount_of_a_path(path: str, found: tuple[str, str]) -> None:
    assert disk.mount_of(MOUNTS, Path(path)) == found


NOW = Sample(1_000_000_000, 5_000)
CLOCK = Clock(True, NOW, NOW, ())


@pytest.mark.parametrize(
    ("found", "levels"),
    [
        (CLOCK, [OK]),
        (replace(CLOCK, synchronised=False), [WARNING]),
        (replace(CLOCK, synchronised=None), [WARNING]),
        (replace(CLOCK, marks=(Mark(Text("", ""), NOW.wall - 10 * DAY),)), [OK]),
        (replace(CLOCK, marks=(Mark(Text("", ""), NOW.wall + 5_000),)), [OK]),
        (replace(CLOCK, marks=(Mark(Text("", ""), NOW.wall + 5_001),)), [WARNING]),
        (replace(CLOCK, marks=(Mark(Text("", ""), NOW.wall + 60_001),)), [FAILED]),
        (replace(CLOCK, before=Sample(NOW.wall - 1_000, NOW.monotonic - 1_500)), [OK]),
        (replace(CLOCK, before=Sample(NOW.wall - 3_600_000, NOW.monotonic - 100)), [WARNING]),
        (replace(CLOCK, before=Sample(NOW.wall + 3_600_000, NOW.monotonic - 100)), [WARNING]),
    ],
)
def test_the_clock(found: Clock, levels: list[str]) -> None:
    assert [one.level for one in clock.judge(found)] == levels


KEY = PrivateFile(Text("", "Key"), Path("/k/a.pem"), 0o600, 7, 7, 0o700, None, "kid")


@pytest.mark.parametrize(
    ("found", "levels"),
    [
        (KEY, [OK]),
        (replace(KEY, mode=0o400), [OK]),
        (replace(KEY, mode=0o604), [FAILED]),
        (replace(KEY, mode=0o660, problem=OSError(errno.EACCES, "")), [FAILED]),  # said once
        (replace(KEY, problem=OSError(errno.ENOENT, ""), mode=None, owner=None, kid=""), [FAILED]),
        (replace(KEY, owner=0), [FAILED]),
        (replace(KEY, directory_mode=0o775), [WARNING]),
        (replace(KEY, directory_mode=0o1777), [OK]),  # sticky: nobody else can rename
        (replace(KEY, mode=0o644, owner=0, directory_mode=0o777), [FAILED, FAILED, WARNING]),
    ],
)
def test_private_files(found: PrivateFile, levels: list[str]) -> None:
    assert [one.level for one in files.judge(found)] == levels


CERTIFICATE = Certificate("x.pem", 0, 100 * DAY, ("*.city.example", "192.0.2.7"), key_fits=True)


@pytest.mark.parametrize(
    ("found", "now", "host", "levels"),
    [
        (CERTIFICATE, 0, "gw.city.example", [OK]),
        (CERTIFICATE, 0, "GW.City.Example", [OK]),
        (CERTIFICATE, 0, "192.0.2.7", [OK]),
        (CERTIFICATE, 0, "city.example", [FAILED]),
        (CERTIFICATE, 0, "a.gw.city.example", [FAILED]),
        (CERTIFICATE, 0, "192.0.2.8", [FAILED]),
        (CERTIFICATE, 0, None, [OK]),
        (CERTIFICATE, 70 * DAY, None, [OK]),
        (CERTIFICATE, 70 * DAY + 1, None, [WARNING]),
        (CERTIFICATE, 100 * DAY, None, [FAILED]),
        (replace(CERTIFICATE, valid_from=1), 0, None, [FAILED]),
        (replace(CERTIFICATE, weakness="RSA 1024", key_fits=False), 0, None, [FAILED, FAILED]),
    ],
)
def test_certificates(found: Certificate, now: int, host: str | None, levels: list[str]) -> None:
    assert [one.level for one in certificates.judge(found, now, host)] == levels


READ, ALL = frozenset(("Read",)), frozenset(("Read", "Write", "Delete", "Alter", "Describe"))


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        (Rights({"t": READ}, {"t": READ}), [(OK, "Exactly the rights that are needed, on 1 topics")]),
        (
            Rights({"t": READ}, {"t": READ | {"Create", "Describe"}}),
            [(OK, "Exactly the rights that are needed, on 1 topics")],
        ),
        (Rights({"t": READ}, {"t": frozenset()}), [(FAILED, "Not permitted to Read: t")]),
        (Rights({"t": READ}, {}), [(FAILED, "Not permitted to Read: t")]),
        (Rights({"t": READ}, {"t": None}), [(WARNING, "The cluster does not say what is permitted on t")]),
        (Rights({"t": READ}, {"t": ALL}), [(WARNING, "Permitted more than is needed, Alter/Delete/Write: t")]),
        (Rights({}, {"other": ALL}), [(WARNING, "Permitted more than is needed, Alter/Delete/Write: other")]),
        (
            Rights({"t": frozenset(("Write",))}, {"t": frozenset(("Write",))}),
            [(OK, "Exactly the rights that are needed, on 1 topics")],
        ),
        (Rights(dict.fromkeys("abcde", READ), {}), [(FAILED, "Not permitted to Read: a, b, c (+2)")]),
    ],
)
def test_rights(rights: Rights, said: list[tuple[str, str]]) -> None:
    assert [(one.level, one.what.en) for one in cluster.judge_rights(rights)] == said


AWAY = Server("b:1", Text("", "refused"))


@pytest.mark.parametrize(
    ("servers", "encrypted", "levels"),
    [
        ([Server("a:1")], True, [OK]),
        ([Server("a:1")], False, [OK, WARNING]),
        ([Server("a:1"), AWAY], True, [OK, WARNING]),
        ([AWAY], True, [FAILED]),
        ([Server("b:1", Text("", "self-signed"), distrusted=True)], True, [FAILED]),
        ([Server("a:1", certificate=replace(CERTIFICATE, valid_until=5))], True, [FAILED, OK]),
    ],
)
def test_servers(servers: list[Server], encrypted: bool, levels: list[str]) -> None:
    assert [one.level for one in cluster.judge_servers(servers, encrypted, 10)] == levels


@pytest.mark.parametrize(
    ("level", "release"), [(0, ""), (7, "3.3"), (22, "4.0"), (25, "4.0"), (26, "4.1"), (30, "4.3"), (31, "> 4.3")]
)
def test_releases_by_the_levels_that_they_support(level: int, release: str) -> None:
    assert release_of(level) == release


def test_only_releases_that_were_tried_are_fine() -> None:
    assert [cluster.judge_release(one).level for one in ("4.3", "4.2", "> 4.3", "")] == [OK, WARNING, WARNING, WARNING]


def test_sqlite_and_open_files() -> None:
    assert machine.judge_sqlite((3, 51, 3), (3, 51, 3)).level == OK
    assert machine.judge_sqlite((3, 46, 1), (3, 51, 3)).level == FAILED
    assert machine.judge_open_files(machine.OpenFiles(1024, 4352)).level == WARNING
    assert machine.judge_open_files(machine.OpenFiles(4352, 4352)).level == OK
