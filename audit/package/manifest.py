"""The manifest of an evidence package: what was asked, of which logs, by whom, when, and every file's digests. Pure.

1. It is canonical JSON, `manifest.json`. Format and version are its first check; another version is refused.
2. It lists every file of the package but itself and `manifest.json.sig`, in the order of the package.
3. Extractors' signatures are over `signed_text`: a few lines that name both digests of the manifest, as a signed note
   (https://c2sp.org/signed-note), so that a manifest of any size can be signed and anybody's software verifies it.
4. Names of extractors are as given; only a signature under a key that is known from elsewhere says more.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.notes import NoteKey
from audit.package.digests import Digest, digest_of
from audit.package.table import STATES
from contracts.encoding import MAX_INTEGER, Json, canonical, parse_object
from contracts.errors import Fault

FORMAT: Final = "oncegate-evidence-package"
VERSION: Final = 2  # 1 had no marks before numbers and dates in the table
EXTRACTORS: Final = 2

NAME: Final = "manifest.json"
SIGNATURES: Final = "manifest.json.sig"
STATEMENT: Final = "提取说明.txt"
RECORDS: Final = "records.ndjson"
TABLE: Final = "records.csv"
PROOFS: Final = "proofs.txt"
OPENINGS: Final = "openings.ndjson"

# Where a key of the package comes from.
GIVEN: Final = "given"  # the extractors gave it by hand (--vkey, --witness, --sign)
INDEX: Final = "index"  # it is the one that the index was made with

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file."""

    name: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class LogFacts:
    """One log that was asked. `indexed`: entries that the index knew; `records`: of these in the package. `checkpoint`
    and `key` are files; `key` is without its ending (`.vkey`, `.pem`). `key_from`: GIVEN or INDEX."""

    origin: str
    vkey: str
    key_from: str
    key: str
    checkpoint: str
    indexed: int
    records: int


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A witness or an extractor. `vkey` and `key` None: an extractor who did not sign."""

    name: str
    vkey: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Rule 1. `time` of the extraction in Unix ms; `filters` as recorded in the auditors' own log, whose origin and
    position `recorded` has; `openings`: state → how many, None when none were asked for."""

    tool: str
    time: int
    extractors: Sequence[KeyFacts]
    filters: Mapping[str, Json]
    recorded: tuple[str, int] | None
    logs: Sequence[LogFacts]
    witnesses: Sequence[KeyFacts]
    records: int
    openings: Mapping[str, int] | None
    files: Sequence[FileFacts]

    def encode(self) -> bytes:
        """The file."""
        return canonical(
            {
                "extractors": [_key_json(one) for one in self.extractors],
                "files": [_file_json(one) for one in self.files],
                "filters": dict(self.filters),
                "format": FORMAT,
                "logs": [{name: getattr(one, name) for name in _LOG} for one in self.logs],
                "openings": None if self.openings is None else dict(self.openings),
                "recorded": self.recorded and {"origin": self.recorded[0], "position": self.recorded[1]},
                "records": self.records,
                "time": self.time,
                "tool": self.tool,
                "v": VERSION,
                "witnesses": [_key_json(one) for one in self.witnesses],
            }
        )


def parse(data: bytes) -> Manifest:
    """Strict inverse of `encode`; raises `Fault` `manifest_malformed` with the member."""
    try:
        whole = parse_object(data)
    except Fault as fault:
        raise Fault("manifest_malformed", detail=fault.detail) from None
    if whole.get("format") != FORMAT or whole.get("v") != VERSION:
        raise Fault("manifest_malformed", "/v", "another format or version")
    members = _members(whole, _WHOLE, "")
    found = Manifest(
        tool=members["tool"],
        time=members["time"],
        extractors=[_key(one, at) for one, at in _each(members["extractors"], "/extractors")],
        filters=members["filters"],
        recorded=_recorded(members["recorded"]),
        logs=[LogFacts(**_members(one, _LOG, at)) for one, at in _each(members["logs"], "/logs")],
        witnesses=[_key(one, at) for one, at in _each(members["witnesses"], "/witnesses")],
        records=members["records"],
        openings=None if members["openings"] is None else _members(members["openings"], _OPENINGS, "/openings"),
        files=[_file(one, at) for one, at in _each(members["files"], "/files")],
    )
    if found.encode() != data:
        raise Fault("manifest_malformed", detail="not canonical")
    if len(found.extractors) != EXTRACTORS or len({one.vkey is None for one in found.extractors}) != 1:
        raise Fault("manifest_malformed", "/extractors", "two extractors, who both signed or both did not")
    if len({one.name for one in found.extractors}) != EXTRACTORS:
        raise Fault("manifest_malformed", "/extractors", "one name is not two people")
    return found


def signed_text(manifest: bytes) -> bytes:
    """What extractors sign (rule 3)."""
    digest = digest_of(manifest)
    return f"{FORMAT}/v{VERSION}\n{NAME} sha-256 {digest.sha256}\n{NAME} sm3 {digest.sm3}\n".encode()


def checkpoint_name(number: int) -> str:
    """The file of the head of log `number`, from 1."""
    return f"checkpoints/log-{number}.txt"


def log_key(number: int) -> str:
    """The files of a log's key, without ending."""
    return f"keys/log-{number}"


def witness_key(number: int) -> str:
    """The files of a witness's key, without ending."""
    return f"keys/witness-{number}"


def extractor_key(number: int) -> str:
    """The files of an extractor's key, without ending."""
    return f"keys/extractor-{number}"


def key_files(key: NoteKey, name: str) -> Mapping[str, bytes]:
    """A public key for people's programs and for openssl."""
    pem = key.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {f"{name}.vkey": f"{key.vkey}\n".encode(), f"{name}.pem": pem}


_Kinds = Mapping[str, tuple[type, ...]]
_NULL = type(None)

_WHOLE: _Kinds = {
    "extractors": (list,),
    "files": (list,),
    "filters": (dict,),
    "format": (str,),
    "logs": (list,),
    "openings": (dict, _NULL),
    "recorded": (dict, _NULL),
    "records": (int,),
    "time": (int,),
    "tool": (str,),
    "v": (int,),
    "witnesses": (list,),
}
_OPENINGS: _Kinds = dict.fromkeys(STATES, (int,))
_RECORDED: _Kinds = {"origin": (str,), "position": (int,)}
_LOG: _Kinds = {
    "origin": (str,),
    "vkey": (str,),
    "key_from": (str,),
    "key": (str,),
    "checkpoint": (str,),
    "indexed": (int,),
    "records": (int,),
}
_KEY: _Kinds = {"name": (str,), "vkey": (str, _NULL), "key": (str, _NULL)}
_FILE: _Kinds = {"name": (str,), "size": (int,), "sha-256": (str,), "sm3": (str,)}


def _members(value: Json, kinds: _Kinds, at: str) -> dict[str, Json]:
    """The members of an object that has exactly these, of these kinds; numbers are not negative."""
    if type(value) is not dict or value.keys() != kinds.keys():
        raise Fault("manifest_malformed", at)
    for name, kind in kinds.items():
        found = value[name]
        if type(found) not in kind or (type(found) is int and not 0 <= found <= MAX_INTEGER):
            raise Fault("manifest_malformed", f"{at}/{name}")
    return value


def _each(values: Sequence[Json], at: str) -> list[tuple[Json, str]]:
    return [(value, f"{at}/{number}") for number, value in enumerate(values)]


def _recorded(value: Json) -> tuple[str, int] | None:
    if value is None:
        return None
    found = _members(value, _RECORDED, "/recorded")
    return found["origin"], found["position"]


def _key(value: Json, at: str) -> KeyFacts:
    found = KeyFacts(**_members(value, _KEY, at))
    if (found.vkey is None) != (found.key is None):
        raise Fault("manifest_malformed", at)
    return found


def _file(value: Json, at: str) -> FileFacts:
    found = _members(value, _FILE, at)
    if not _HEX.fullmatch(found["sha-256"]) or not _HEX.fullmatch(found["sm3"]):
        raise Fault("manifest_malformed", at)
    return FileFacts(found["name"], Digest(found["size"], found["sha-256"], found["sm3"]))


def _key_json(one: KeyFacts) -> Json:
    return {"key": one.key, "name": one.name, "vkey": one.vkey}


def _file_json(one: FileFacts) -> Json:
    return {"name": one.name, "sha-256": one.digest.sha256, "size": one.digest.size, "sm3": one.digest.sm3}
