"""What the registry says, as frozen values. Their JSON form is `contracts.plain`'s."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.algorithms import VerifyKey
from contracts.hpke import WrapKey
from contracts.streams import Position, Stream
from contracts.text import Text

ACTIVE, RETIRED, COMPROMISED = "active", "retired", "compromised"
KEY_STATES = (ACTIVE, RETIRED, COMPROMISED)
DEFAULT_RETENTION_DAYS = 3 * 365 + 1
MIN_RETENTION_DAYS = 184  # six months: Cybersecurity Law, article 21 (3)


@dataclass(frozen=True, slots=True)
class ZoneKey:
    """A zone's HPKE public key. Feed keys are wrapped to the active one; retired ones still open old records."""

    alg: str
    public: str
    status: str = ACTIVE

    @property
    def wrap_key(self) -> WrapKey:
        return WrapKey(self.alg, self.public)


@dataclass(frozen=True, slots=True)
class Zone:
    """A network with its own message log."""

    id: str
    names: Text
    keys: tuple[ZoneKey, ...]

    @property
    def active_key(self) -> WrapKey | None:
        return next((key.wrap_key for key in self.keys if key.status == ACTIVE), None)


@dataclass(frozen=True, slots=True)
class Unit:
    """处室/窗口."""

    id: str
    names: Text


@dataclass(frozen=True, slots=True)
class Organisation:
    """单位."""

    id: str
    names: Text
    units: tuple[Unit, ...] = ()


class _Registered:
    """What has a signature key: JOSE `alg` and public JWK."""

    __slots__ = ()
    alg: str
    jwk: Mapping[str, str]

    def verify_key(self) -> VerifyKey:
        """The key, ready to verify with; raises `Fault` `alg_unknown` or `key_invalid`."""
        return VerifyKey.from_jwk(self.alg, self.jwk)


@dataclass(frozen=True, slots=True)
class Span:
    """The positions of one stream that a key covers: [epoch, seq] inclusive; `last` None is open."""

    first: tuple[int, ...] = (0, 0)
    last: tuple[int, ...] | None = None

    def covers(self, position: Position) -> bool:
        return self.first <= position and (self.last is None or position <= self.last)


_OPEN = Span()
_NOTHING = Span(last=(0, 0))


@dataclass(frozen=True, slots=True)
class AdapterKey(_Registered):
    """A key of an adapter. `spans` by evidence type id; a key that is not active covers only what they say."""

    alg: str
    jwk: Mapping[str, str]
    status: str = ACTIVE
    spans: Mapping[str, Span] = field(default_factory=dict)

    def covers(self, evidence_type: str, position: Position) -> bool:
        default = _OPEN if self.status == ACTIVE else _NOTHING
        return self.spans.get(evidence_type, default).covers(position)


@dataclass(frozen=True, slots=True)
class Adapter:
    """适配器. `lowest_epoch`: after a compromise, the lowest epoch that counts, by evidence type id."""

    id: str
    organisation: str
    zone: str
    evidence_types: tuple[str, ...]
    keys: tuple[AdapterKey, ...]
    lowest_epoch: Mapping[str, int] = field(default_factory=dict)

    def streams(self) -> tuple[Stream, ...]:
        return tuple(Stream(self.organisation, self.id, type_id) for type_id in self.evidence_types)


@dataclass(frozen=True, slots=True)
class Grant:
    """授权: these items, on these channels, until then (Unix ms), at most so often a day."""

    service_items: tuple[str, ...]
    channels: tuple[str, ...]
    until: int
    per_day: int


@dataclass(frozen=True, slots=True)
class AppKey(_Registered):
    """A key of an app: proves who it is (`private_key_jwt`) and binds its tokens (DPoP)."""

    alg: str
    jwk: Mapping[str, str]
    status: str = ACTIVE


@dataclass(frozen=True, slots=True)
class App:
    """审批系统. `certificates`: PEM texts of the TLS client certificates; their SHA-256 fingerprint decides."""

    id: str
    names: Text
    organisation: str
    unit: str
    grants: tuple[Grant, ...]
    keys: tuple[AppKey, ...] = ()
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node(_Registered):
    """A gateway node: signs tokens and rejects with this key."""

    id: str
    zone: str
    alg: str
    jwk: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Auditor:
    """Who can read openings: the HPKE public key that day keys are wrapped to. `certificates`: PEM texts of the TLS
    client certificates with which the auditor's own program fetches entries and sealed openings. `vkey`: the signed-
    note key (C2SP, Ed25519) under which the auditor's orders about openings are signed."""

    id: str
    names: Text
    alg: str
    public: str
    certificates: tuple[str, ...] = ()
    vkey: str | None = None

    @property
    def wrap_key(self) -> WrapKey:
        return WrapKey(self.alg, self.public)


@dataclass(frozen=True, slots=True)
class AuditSlot:
    """One audit log, one writer: its origin (C2SP) and verifier key (vkey).

    `predecessor`: the slot whose closed log this one goes on from (a new shard, or a new key). `retention_days`: how
    long the log is kept after its last entry; never less than MIN_RETENTION_DAYS."""

    slot: str
    origin: str
    vkey: str
    auditor: str
    predecessor: str | None = None
    retention_days: int = DEFAULT_RETENTION_DAYS
