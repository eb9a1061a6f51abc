"""Somebody else's code over our audit log: Go's `sumdb` verifies it whole, and finds whatever was changed in it.

`tlogcheck` and `notesign` are a few lines around golang.org/x/mod/sumdb, which hashes, proves and verifies.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import checkpoints, notes
from audit.checkpoints import Checkpoint
from audit.cosignatures import Cosigner
from audit.merkle import leaf_hash, tree_at
from audit.reader import LogReader
from audit.receipts import Level, Proof, Receipt, parse_proof, verify_proof
from audit.start import Limits
from audit.tiles import split_entries
from contracts.errors import Fault
from gateway.web.tiles import Tiles
from tests.integration.audit_support import (
    ORIGIN,
    SIGNER,
    SIGNING,
    FailingDisk,
    append_all,
    entry,
    fill,
    open_log,
)
from tests.integration.go_programs import Programs, Said, build
from tests.integration.serve_world import SLOT
from tests.integration.tiles_server import prefix, serving
from tests.waiting import until

SIZE, EARLIER = 200_000, 123_457
VKEY = SIGNER.public.vkey
OTHER = notes.NoteSigner.of(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
WITNESS_NAME, WITNESS_SEED = "witness.example/w1", b"\5" * 32
COSIGNER = Cosigner.of(WITNESS_NAME, Ed25519PrivateKey.from_private_bytes(WITNESS_SEED))
WITNESS = COSIGNER.public
TEXT = Checkpoint(ORIGIN, 20852163, bytes(range(32))).text()


@dataclass(frozen=True, slots=True)
class Log:
    """A log of `SIZE` entries, read over HTTP; `earlier` is its head of `EARLIER` entries."""

    directory: Path
    url: str
    reader: LogReader
    earlier: Path

    @property
    def note(self) -> Path:
        return self.directory / "checkpoint"


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return build(tmp_path_factory.mktemp("go"))


def grow(directory: Path, size: int) -> None:
    """Append to a log, new or closed, until it has `size` entries. Nothing is synced: nothing crashes here."""
    log = open_log(directory, limits=Limits(), disk=FailingDisk())
    first = log.size
    assert asyncio.run(append_all(log, first, size - first)) == list(range(first, size))
    log.close()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    directory = tmp_path_factory.mktemp("log")
    grow(directory, EARLIER)
    earlier = tmp_path_factory.mktemp("kept") / "earlier"
    earlier.write_bytes((directory / "checkpoint").read_bytes())
    grow(directory, SIZE)
    with serving(Tiles(SLOT, directory, is_auditor=lambda _: True)) as port:
        yield Log(directory, prefix(port, SLOT), LogReader(directory, SIGNER.public), earlier)


def accepted(said: Said) -> str:
    assert (said.code, said.error) == (0, "")
    return said.out.decode()


def refused(said: Said, why: str) -> None:
    assert (said.code, said.out) == (1, b""), said
    assert why in said.error


# --- the whole log -----------------------------------------------------------------------------------------------


def test_the_log_is_whole_and_has_grown(go: Programs, log: Log) -> None:
    said = accepted(go.tlogcheck("log", VKEY, "-head", log.earlier, log.url))
    root = notes.base64_text(log.reader.checkpoint().root)
    assert said == f"OK: {SIZE} entries, root {root}, 0 witnesses\n"


def flipped(at: int) -> Callable[[bytes], bytes]:
    """One bit changed; `at` counts from the end when negative."""

    def change(data: bytes) -> bytes:
        place = at % len(data)
        return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]

    return change


def resigned(size: int, signer: notes.NoteSigner = SIGNER) -> Callable[[bytes], bytes]:
    """The checkpoint with another size, and this signature under it."""

    def change(note: bytes) -> bytes:
        head = checkpoints.parse_text(notes.parse(note).text)
        return checkpoints.sign(Checkpoint(head.origin, size, head.root), signer)

    return change


SPOILT: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "a byte of an entry": ("tile/entries/300", flipped(9), "tile/0/300: tile and entries disagree"),
    "a length in a bundle": ("tile/entries/780", flipped(1), "tile/entries/780: entry 1: the bundle ends within it"),
    "a byte of the last entry": ("tile/entries/781.p/64", flipped(-1), "tile/0/781.p/64: tile and entries disagree"),
    "a bundle cut": ("tile/entries/500", lambda data: data[:-1], "entry 255: the bundle ends within it"),
    "a bundle with more": ("tile/entries/501", lambda data: data + b"\0", "1 bytes too many"),
    "a byte of a tile": ("tile/0/300", flipped(4000), "tile and entries disagree"),
    "a byte of the last tile": ("tile/0/781.p/64", flipped(-1), "tile and entries disagree"),
    "a byte one level up": ("tile/1/001", flipped(0), "tile and entries disagree"),
    "a byte of the last tile there": ("tile/1/003.p/13", flipped(-1), "tile and entries disagree"),
    "a byte two levels up": ("tile/2/000.p/3", flipped(40), "tile and entries disagree"),
    "a tile cut": ("tile/0/301", lambda data: data[:-32], "8160 bytes"),
    "the size": ("checkpoint", lambda note: note.replace(b"\n200000\n", b"\n200001\n"), "invalid signature"),
    "a digit less": ("checkpoint", lambda note: note.replace(b"\n200000\n", b"\n20000\n"), "invalid signature"),
    "the root": ("checkpoint", flipped(len(ORIGIN) + 10), "invalid signature"),
    "the size, by whoever has the log's key": ("checkpoint", resigned(781 * 256), "do not lead to the root"),
    "a size that no tile has, likewise": ("checkpoint", resigned(SIZE + 1), "file does not exist"),
    "the signer": ("checkpoint", resigned(SIZE, OTHER), "no verifiable signatures"),
}


@contextmanager
def spoilt(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    whole = path.read_bytes()
    changed = change(whole)
    assert changed != whole
    path.write_bytes(changed)
    try:
        yield
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", SPOILT)
def test_what_was_changed_is_found(go: Programs, log: Log, name: str) -> None:
    file, change, why = SPOILT[name]
    with spoilt(log.directory / file, change):
        refused(go.tlogcheck("log", VKEY, log.url), why)


def test_an_entry_changed_together_with_its_hash_is_found(go: Programs, log: Log, tmp_path: Path) -> None:
    bundle, tile = log.directory / "tile/entries/256", log.directory / "tile/0/256"
    record, proof = written(tmp_path, 65_536, proof_of(log, 65_536))
    with spoilt(bundle, flipped(9)):
        changed = leaf_hash(split_entries(bundle.read_bytes(), 256)[0])
        with spoilt(tile, lambda data: changed + data[32:]):
            refused(go.tlogcheck("log", VKEY, log.url), "tile/1/001: tile and entries disagree")
            for index in ("65536", "65537"):
                refused(go.tlogcheck("prove", VKEY, log.url, index), "")
    accepted(go.tlogcheck("receipt", VKEY, record, proof))


@pytest.mark.parametrize("file", ["tile/entries/299", "tile/0/299", "tile/1/000"])
def test_a_missing_file_is_found(go: Programs, log: Log, tmp_path: Path, file: str) -> None:
    (log.directory / file).rename(tmp_path / "away")
    try:
        refused(go.tlogcheck("log", VKEY, log.url), f"{file}: file does not exist")
    finally:
        (tmp_path / "away").rename(log.directory / file)


def test_a_truncated_log_is_found_by_who_kept_a_later_head(go: Programs, log: Log, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(log.note.read_bytes())
    with spoilt(log.note, lambda _: log.earlier.read_bytes()):
        assert f"OK: {EARLIER} entries" in accepted(go.tlogcheck("log", VKEY, log.url))  # its signature is good
        refused(go.tlogcheck("log", VKEY, "-head", kept, log.url), "truncated or rolled back")


def test_a_rewritten_log_is_found_by_who_kept_a_head(go: Programs, log: Log, tmp_path: Path) -> None:
    head = checkpoints.sign(Checkpoint(ORIGIN, EARLIER, tree_at(EARLIER - 1, log.reader.nodes(SIZE)).root()), SIGNER)
    (tmp_path / "kept").write_bytes(head)
    refused(go.tlogcheck("log", VKEY, "-head", tmp_path / "kept", log.url), "rewritten")


def test_a_log_that_grows_meanwhile(go: Programs, tmp_path: Path) -> None:
    """Whatever head was published, its tiles are there, or the full ones in place of its partial ones."""
    directory, kept = tmp_path / "log", tmp_path / "kept"
    fill(directory, 200)
    head, stop = directory / "checkpoint", threading.Event()
    writer = threading.Thread(target=append_until, args=(stop, directory))
    with serving(Tiles(SLOT, directory, is_auditor=lambda _: True)) as port:
        writer.start()
        try:
            for _ in range(8):
                kept.write_bytes(head.read_bytes())
                until(lambda: head.read_bytes() != kept.read_bytes())
                accepted(go.tlogcheck("log", VKEY, "-head", kept, prefix(port, SLOT)))
        finally:
            stop.set()
            writer.join(60)


def append_until(stop: threading.Event, directory: Path) -> None:
    log = open_log(directory, disk=FailingDisk())
    while not stop.is_set():
        asyncio.run(append_all(log, log.size, 37))
    log.close()


# --- proofs, both ways -------------------------------------------------------------------------------------------


def indexes() -> list[int]:
    edges = [0, 1, 255, 256, 65_535, 65_536, 131_072, EARLIER, 199_935, 199_936, SIZE - 2, SIZE - 1]
    return edges + random.Random(11).sample(range(SIZE), 50)


def test_both_give_the_same_proofs_to_the_byte(go: Programs, log: Log) -> None:
    proofs = [log.reader.proof(index) for index in indexes()]
    ours = b"".join(proof.encode() for proof in proofs if proof is not None)
    assert accepted(go.tlogcheck("prove", VKEY, log.url, *map(str, indexes()))).encode() == ours


def written(directory: Path, index: int, proof: Proof) -> tuple[Path, Path]:
    files = directory / f"{index}.json", directory / f"{index}.tlog-proof"
    files[0].write_bytes(entry(index))
    files[1].write_bytes(proof.encode())
    return files


def proof_of(log: Log, index: int) -> Proof:
    proof = log.reader.proof(index)
    assert proof is not None
    return proof


def test_receipts_pass(go: Programs, log: Log, tmp_path: Path) -> None:
    files = [file for index in indexes() for file in written(tmp_path, index, proof_of(log, index))]
    said = accepted(go.tlogcheck("receipt", VKEY, *files)).splitlines()
    assert said == [f"OK: entry {index} of {SIZE}, 0 witnesses" for index in indexes()]


@pytest.mark.parametrize("index", [0, 65_536, SIZE - 1])
def test_other_receipts_do_not(go: Programs, log: Log, tmp_path: Path, index: int) -> None:
    record, text = written(tmp_path, index, proof_of(log, index))
    with spoilt(record, flipped(3)):
        refused(go.tlogcheck("receipt", VKEY, record, text), "invalid transparency proof")
    for change in (
        lambda text: text.replace(b"\nindex ", b"\nindex 1"),
        lambda text: text.replace(b"\n\n", b"\n" + notes.base64_text(bytes(32)).encode() + b"\n\n", 1),
        lambda text: text.replace(text.split(b"\n")[3] + b"\n", b"", 1),
        resigned_proof(OTHER),
    ):
        with spoilt(text, change):
            assert go.tlogcheck("receipt", VKEY, record, text).code == 1


def resigned_proof(signer: notes.NoteSigner) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        proof = parse_proof(text)
        return Proof(proof.index, proof.hashes, signer.sign(notes.parse(proof.note).text)).encode()

    return change


def head_of(log: Log, directory: Path, size: int) -> Path:
    """The checkpoint that this log had at `size`."""
    path = directory / str(size)
    root = tree_at(size, log.reader.nodes(SIZE)).root()
    path.write_bytes(checkpoints.sign(Checkpoint(ORIGIN, size, root), SIGNER))
    return path


def lines(hashes: list[bytes]) -> bytes:
    return b"".join(notes.base64_text(value).encode() + b"\n" for value in hashes)


@pytest.mark.parametrize("old", [1, 255, 256, 257, 65_536, 65_537, EARLIER, SIZE - 1, SIZE])
def test_growth(go: Programs, log: Log, tmp_path: Path, old: int) -> None:
    head, proof = head_of(log, tmp_path, old), tmp_path / "proof"
    proof.write_bytes(lines(log.reader.consistency_proof(old, SIZE)))
    said = accepted(go.tlogcheck("growth", VKEY, head, log.note, proof))
    assert said == f"OK: grown from {old} to {SIZE} entries\n"
    assert accepted(go.tlogcheck("extend", VKEY, log.url, head)).encode() == proof.read_bytes()
    proof.write_bytes(proof.read_bytes() + lines([bytes(32)]))
    refused(go.tlogcheck("growth", VKEY, head, log.note, proof), "rewritten")


# --- notes and cosignatures --------------------------------------------------------------------------------------


def test_both_sign_the_same_note(go: Programs) -> None:
    said = go.notesign(TEXT, "log", ORIGIN, SIGNING.key.private_bytes_raw().hex())
    assert (said.code, said.out) == (0, SIGNER.sign(TEXT))
    assert said.error == VKEY + "\n"


def cosigned(go: Programs, note: bytes, seconds: int) -> bytes:
    said = go.notesign(note, "witness", WITNESS_NAME, WITNESS_SEED.hex(), str(seconds))
    assert (said.code, said.error) == (0, WITNESS.vkey + "\n")
    assert said.out.startswith(note)
    return said.out


@pytest.mark.parametrize("seconds", [1, 1_679_315_147, 2**63 - 1])
def test_both_cosign_the_same_line_and_it_counts(go: Programs, seconds: int) -> None:
    note = cosigned(go, SIGNER.sign(TEXT), seconds)
    assert note == SIGNER.sign(TEXT) + COSIGNER.line(TEXT, seconds)
    head = checkpoints.parse_text(TEXT)
    assert checkpoints.open_note(note, SIGNER.public, [WITNESS]) == (head, 1)
    assert checkpoints.open_note(note, SIGNER.public) == (head, 0)


def test_a_proof_under_a_cosigned_head(go: Programs, log: Log, tmp_path: Path) -> None:
    proof = proof_of(log, 777)
    witnessed = Proof(proof.index, proof.hashes, cosigned(go, proof.note, 1_679_315_147))
    files = written(tmp_path, 777, witnessed)
    said = accepted(go.tlogcheck("receipt", VKEY, "-witness", WITNESS.vkey, *files))
    assert said == f"OK: entry 777 of {SIZE}, 1 witnesses\n"
    receipt = Receipt(ORIGIN, 777, leaf_hash(entry(777)), b"")
    assert verify_proof(witnessed, receipt, SIGNER.public, [WITNESS]) is Level.WITNESSED


def with_signature(note: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The note with the bytes of its last signature changed."""
    last = notes.parse(note).signatures[-1]
    kept = note[: note.rstrip(b"\n").rindex(b"\n") + 1]
    return kept + notes.signature_line(WITNESS, change(last.value))


@pytest.mark.parametrize(
    "change",
    [flipped(7), flipped(8), flipped(-1), lambda it: it[8:], lambda it: it[:-1], lambda it: it + b"\0"],
    ids=["time", "signature", "end", "no time", "short", "long"],
)  # fmt: skip
def test_a_spoilt_cosignature_is_refused_by_both(
    go: Programs, log: Log, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    proof = proof_of(log, 5)
    note = with_signature(cosigned(go, proof.note, 1_679_315_147), change)
    both_refuse(go, tmp_path, Proof(5, proof.hashes, note))


def test_a_time_out_of_range_is_refused_by_both(go: Programs, log: Log, tmp_path: Path) -> None:
    proof = proof_of(log, 5)
    both_refuse(go, tmp_path, Proof(5, proof.hashes, cosigned(go, proof.note, 2**63)))


def both_refuse(go: Programs, directory: Path, proof: Proof) -> None:
    files = written(directory, 5, proof)
    refused(go.tlogcheck("receipt", VKEY, "-witness", WITNESS.vkey, *files), "invalid signature")
    with pytest.raises(Fault) as error:
        checkpoints.open_note(proof.note, SIGNER.public, [WITNESS])
    assert error.value.code == "note_signature_invalid"
    # Who does not know the witness has nothing to refuse.
    accepted(go.tlogcheck("receipt", VKEY, *files))
    assert checkpoints.open_note(proof.note, SIGNER.public)[1] == 0


# --- the programs themselves -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [[], ["other"], ["log", "x"], ["log", "-vkey", "x", "y"], ["log", "-vkey", VKEY], ["receipt", "-vkey", VKEY, "x"]],
)
def test_a_wrong_call_is_no_verdict(go: Programs, call: list[str]) -> None:
    assert go.run("tlogcheck", call).code == 2
