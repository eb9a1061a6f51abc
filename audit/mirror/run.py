"""The mirror as a program: rounds until it is stopped, each log in a thread of its own.

1. The registry says which logs there are, the gateways say which they serve; what differs is an alarm (`judge`).
2. A log that takes long to copy holds up no other one, and no alarm. Nor does a gateway that takes long to answer: each
   is asked in a thread of its own, too (`lookout`), and each witness (`witnessed`).
3. Whatever is wrong here (disk, a copy that does not verify) ends the program: a mirror that cannot write is none.
4. One process: an exclusive lock on the directory.
5. A copy of another log or key than the one that is listed now is left alone: `log_rekeyed`.
6. With a key of its own it does not look every few seconds: it waits for each new head, since answers may wait for it.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from audit import retired
from audit.cosignatures import Cosigner
from audit.disk import Disk, lock
from audit.fetch import Client
from audit.lines import alarm, info
from audit.mirror import status
from audit.mirror.config import MirrorConfig
from audit.mirror.copy import vkey_of
from audit.mirror.follower import Follower, slot_name
from audit.mirror.judge import NEVER, Alarm, Log, alarms
from audit.mirror.listed import Listed
from audit.mirror.lookout import Lookout
from audit.mirror.shards import shard_alarms
from audit.mirror.witnessed import Witnessed
from audit.threads import guarded
from audit.witness.keygen import cosigner_of
from contracts.edge import keys
from contracts.errors import Corrupt, Unavailable, UserError
from contracts.text import Text

EXIT_ALARM = 1
RETRY_S = 1.0  # without a gateway; with a key: after one went away

_LOCKED = Text("该镜像目录正由另一进程使用", "Another process uses this mirror")
_LOCKED_REMEDY = Text("一个目录只能有一个镜像进程。", "A directory has exactly one mirror: stop the other one.")

_REKEYED = "the copy here is of another log or key than the registry lists for this slot now"

Advance = Callable[[int], None]


@dataclass
class Mirror:
    """The parts of a running mirror; raises `UserError`. `clock` gives Unix seconds."""

    config: MirrorConfig
    listed: Listed
    clock: Callable[[], float] = time.time
    cosigner: Cosigner | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    followers: dict[Log, Follower] = field(default_factory=dict)
    lookouts: tuple[Lookout, ...] = ()
    witnesses: tuple[Witnessed, ...] = ()
    failure: BaseException | None = None
    _threads: list[threading.Thread] = field(default_factory=list)
    _known: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        proofs = self.config.directory / "evidence"
        self.lookouts = tuple(Lookout(one, Client(one), proofs) for one in self.config.gateways)
        self.witnesses = tuple(Witnessed(one, proofs, self.clock, NEVER) for one in self.config.witnesses)

    @property
    def served(self) -> dict[str, tuple[Log, ...]]:
        """What each gateway that ever answered said last, by URL."""
        return {one.client.url: one.served for one in self.lookouts if one.served is not None}

    def once(self, advance: Advance) -> tuple[Alarm, ...]:
        """Look at every log once, one after the other; what is wrong then."""
        try:
            self._look_registry()
            for lookout in self.lookouts:
                lookout.ask()
            for witness in self.witnesses:  # before the gateways, which have each head earlier
                witness.ask(self._wanted(), NEVER)
            for log in sorted(self._wanted(), key=self.listed.age, reverse=True):
                follower = self._follower(log, NEVER)
                with self._client(log) as client:
                    follower.look(client, advance)
            for lookout in self.lookouts:
                self._compare(lookout)
            for witness in self.witnesses:
                self._compare_witnessed(witness)
            return self._tell()
        finally:
            self._close()

    def run(self) -> None:
        """Until `stop` (rule 2); raises what ended it (rule 3)."""
        try:
            self._look_registry()
            for lookout in self.lookouts:
                self._start(f"mirror-{lookout.client.url}", partial(self._keep_asking, lookout))
            for witness in self.witnesses:
                witness.answered_at = self.clock()
                self._start(f"mirror-{witness.url}", partial(self._keep_asking_witness, witness))
            while not self.stop.is_set():
                self._look_registry()
                for log in self._wanted():
                    self._follow(log)
                self._tell()
                self.stop.wait(self.config.every_s)
        finally:
            self.stop.set()
            for thread in self._threads:
                thread.join()
            self._close()
        if self.failure is not None:
            raise self.failure

    def _close(self) -> None:
        for lookout in self.lookouts:
            lookout.client.close()

    def _start(self, name: str, body: Callable[[], None]) -> None:
        thread = guarded(name, body, self._failed)
        self._threads.append(thread)
        thread.start()

    def _look_registry(self) -> None:
        self.listed.look(int(self.clock() * 1000))

    def _keep_asking(self, lookout: Lookout) -> None:
        while not self.stop.is_set():
            lookout.ask()
            self._compare(lookout)
            self.stop.wait(self.config.every_s)

    def _keep_asking_witness(self, witness: Witnessed) -> None:
        while not self.stop.is_set():
            witness.ask(self._wanted(), self.clock())
            self._compare_witnessed(witness)
            self.stop.wait(self.config.every_s)

    def _compare(self, lookout: Lookout) -> None:
        """The heads of what another gateway lists, too, and of what was wrong before."""
        followed = {log: one for log, one in self._followed().items() if self._twice(log, lookout)}
        with self._unless_removed(followed):
            lookout.compare({log: (slot_name(log.slot), one.copy) for log, one in followed.items()})

    def _compare_witnessed(self, witness: Witnessed) -> None:
        followed = self._followed()
        with self._unless_removed(followed):
            witness.compare(followed)

    @contextmanager
    def _unless_removed(self, logs: Iterable[Log]) -> Iterator[None]:
        """A copy that retention took meanwhile is no damaged one."""
        try:
            yield
        except Corrupt:
            if set(logs) <= set(self._wanted()):
                raise

    def _twice(self, log: Log, lookout: Lookout) -> bool:
        others = (one for one in self.lookouts if one is not lookout)
        return lookout.lists(log) and (log in lookout.troubles or any(one.lists(log) for one in others))

    def _followed(self) -> dict[Log, Follower]:
        found = {log: self.followers.get(log) for log in self._wanted()}
        return {log: one for log, one in found.items() if one is not None}

    def _wanted(self) -> tuple[Log, ...]:
        """The logs that are listed, but those that were removed here after their time (`retired`), and rule 5."""
        return tuple(log for log in self.listed.need() if not self._is_retired(log) and not self._is_rekeyed(log))

    def _is_rekeyed(self, log: Log) -> bool:
        return vkey_of(self.config.directory / "logs" / slot_name(log.slot)) not in (None, log.vkey)

    def _is_retired(self, log: Log) -> bool:
        """Another log in the same slot is not the one that was removed: unseen, it would have no copy at all."""
        gone = retired.read(retired.path_of(self._retired, slot_name(log.slot)))
        return gone is not None and (gone.origin, gone.vkey) == (log.origin, log.vkey)

    @property
    def _retired(self) -> Path:
        return self.config.directory / "retired"

    def _follow(self, log: Log) -> None:
        if log not in self.followers:
            self._follower(log, self.clock())
            self._start(f"mirror-{log.slot}", partial(self._keep_looking, log))

    def _follower(self, log: Log, since: float) -> Follower:
        if log not in self.followers:
            whose, where = partial(self.listed.authority, log.slot), self.config.directory
            self.followers[log] = Follower.of(where, log, self.clock, since, self.cosigner, whose, self.listed.keys)
        return self.followers[log]

    def _keep_looking(self, log: Log) -> None:
        follower, pause = self.followers[log], self.config.every_s
        while not self.stop.is_set() and log in self._wanted():
            with self._client(log) as client:
                well = follower.look(client, lambda _: self._stopped())
                while well and client is not None and self._awaited(log, client):
                    well = follower.wait(client, lambda _: self._stopped())
            self.stop.wait(min(pause, RETRY_S) if self.cosigner or client is None else pause)
        if not self.stop.is_set():
            del self.followers[log]  # not wanted any more; listed again, it begins with what is on disk

    def _awaited(self, log: Log, client: Client) -> bool:
        """Rule 6, for as long as nothing has changed."""
        if self.cosigner is None or self.stop.is_set() or log not in self.listed.need():
            return False
        gateway = self._gateway(log)
        return gateway is not None and gateway.client.url == client.url

    def _stopped(self) -> None:
        """Ends a long copy between two chunks."""
        if self.stop.is_set():
            raise Unavailable("the mirror is being stopped")

    @contextmanager
    def _client(self, log: Log) -> Iterator[Client | None]:
        """Of the gateway that the log is copied from; None when none says that it serves it."""
        gateway = self._gateway(log)
        if gateway is None:
            yield None
            return
        client = Client(gateway.endpoint)
        try:
            yield client
        finally:
            client.close()

    def _gateway(self, log: Log) -> Lookout | None:
        """The first that serves its slot; rather one that answers, and under the key that is listed."""
        found = [one for one in self.lookouts if one.lists(log)]
        return min(found, key=lambda one: (one.away, log not in (one.served or ())), default=None)

    def _failed(self, error: BaseException) -> None:
        self.failure = error
        self.stop.set()

    def _tell(self) -> tuple[Alarm, ...]:
        """Status, metrics, and a line for each alarm that is new or over."""
        now, logs = self.clock(), self.listed.need()
        facts = [one.facts for one in map(self.followers.get, logs) if one is not None]
        heads = {one.slot: one.head() for one in retired.read_all(self._retired)}
        served = self.served
        asked = served if all(one.asked for one in self.lookouts) else {}  # nothing is gone before all were asked
        found = (
            *alarms(facts, served, logs, self.listed.state(int(now * 1000)), now),
            *(Alarm("log_rekeyed", log.slot, _REKEYED) for log in logs if self._is_rekeyed(log)),
            *(alarm for one in self.lookouts for alarm in one.alarms(logs)),
            *(alarm for one in self.witnesses for alarm in one.alarms(facts, now)),
            *shard_alarms(facts, self.listed.slots(), heads, asked, now),
        )
        status.write(self.config.directory, status.form(facts, found, self.listed.version, now), self.config.metrics)
        here = {(one.code, one.about): one for one in found}
        for name in here.keys() - self._known:
            alarm(name[0], about=name[1], detail=here[name].detail)
        for code, about in self._known - here.keys():
            info("alarm_over", code=code, about=about)
        self._known = frozenset(here)
        return found


def opened(config: MirrorConfig) -> "Mirror":
    """A mirror over its locked directory (rule 4); raises `UserError`, OSError."""
    Disk().sync_directories(Disk().make_directories([config.directory]))
    if lock(config.directory / "lock") is None:  # held until the process ends
        raise UserError(_LOCKED, str(config.directory), _LOCKED_REMEDY)
    for private in {one.client[1] for one in config.gateways if one.client is not None}:
        keys.require_private(private)
    root = keys.load_public_key(config.root_key, config.root_alg)
    cosigner = None if config.own is None else cosigner_of(*config.own)
    return Mirror(config, Listed(config.registry, root, config.directory / "registry-seen.json"), cosigner=cosigner)


def run_until_stopped(mirror: Mirror) -> None:
    """`Mirror.run` until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: mirror.stop.set())
    info("mirror_started", directory=str(mirror.config.directory), pid=os.getpid())
    mirror.run()
