"""`@sd-jwt/core` (npm) and ours, in both directions and under every suite."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.encoding import Json
from contracts.messages import ERASE, WITHDRAW, filtered
from tests.integration.interop.shape import claims, opened_whole, ours, private_jwk, subsets
from tests.vectors.world import ALGS, CO_OWNED, PERMIT, SPARSE, WHOLE, fixed_key, sealed

FOLDER = Path(__file__).parent / "interop"
INSTALLED = FOLDER / "node_modules" / "@sd-jwt" / "core" / "package.json"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Requests to the library. Installs what the lock file pins, once; without Node.js the tests fail and say so."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.fail("Node.js 20 and npm are needed to hold our messages against @sd-jwt/core: make setup-dev")
    if not INSTALLED.exists():
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            pytest.fail(f"npm ci in {FOLDER.name} failed:\n{done.stderr}")

    def request(**members: Json) -> dict[str, Any]:
        script = [node, str(FOLDER / "sdjwt.mjs")]
        answer = subprocess.run(script, input=json.dumps(members).encode(), capture_output=True, check=True, timeout=60)
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    return request


def _verified(ask: Ask, alg: str, message: bytes) -> Any:
    answer = ask(do="verify", alg=alg, jwk=dict(fixed_key(alg).public.jwk), message=message.decode())
    assert "error" not in answer, answer
    assert answer["header"] == {"alg": alg, "kid": fixed_key(alg).kid, "typ": "dc+sd-jwt"}
    return answer["payload"]


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("name", list(subsets(sealed("ES256"))))
def test_it_verifies_ours_and_reads_the_same_claims(ask: Ask, alg: str, name: str) -> None:
    message = sealed(alg, CO_OWNED)
    shown = filtered(message, subsets(message)[name])
    assert _verified(ask, alg, shown) == ours(shown)


@pytest.mark.parametrize("alg", ALGS)
def test_it_reads_every_kind_of_value_and_absent_ones(ask: Ask, alg: str) -> None:
    for document in (WHOLE, SPARSE):
        assert _verified(ask, alg, sealed(alg, document))["doc"] == document


@pytest.mark.parametrize("operation", [WITHDRAW, ERASE])
def test_it_verifies_messages_without_content(ask: Ask, operation: str) -> None:
    message = sealed("ES256", None, 2, operation)
    assert _verified(ask, "ES256", message) == ours(message)


def test_it_refuses_another_key(ask: Ask) -> None:
    jwk = dict(fixed_key("ES256", "stranger").public.jwk)
    assert "error" in ask(do="verify", alg="ES256", jwk=jwk, message=sealed("ES256").decode())


def _issued(ask: Ask, alg: str, document: dict[str, Json]) -> bytes:
    key = fixed_key(alg)
    hidden = [name for name in PERMIT.disclosable if name in document]
    absent = len(PERMIT.disclosable) - len(hidden)
    frame = {"_sd": hidden, "_sd_decoy": absent, "holders": {"_sd": list(range(len(document["holders"])))}}
    answer = ask(
        do="issue",
        alg=alg,
        jwk=private_jwk(key),
        kid=key.kid,
        payload=claims(alg, document),
        frame={"doc": frame},
    )
    return str(answer["message"]).encode()


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("document", [WHOLE, SPARSE, CO_OWNED], ids=["whole", "sparse", "co-owned"])
def test_we_open_what_it_issues(ask: Ask, alg: str, document: dict[str, Json]) -> None:
    assert opened_whole(_issued(ask, alg, document)).document() == document


def test_we_open_what_it_presents(ask: Ask) -> None:
    """A filtered message of ours, filtered by the other library."""
    frame = {"doc": {"number": True, "holders": {"1": True}}}
    answer = ask(do="present", alg="ES256", message=sealed("ES256", CO_OWNED).decode(), frame=frame)
    document = ours(str(answer["message"]).encode())["doc"]
    assert (document["number"], document["holders"]) == (CO_OWNED["number"], [CO_OWNED["holders"][1]])
    assert "premises" not in document
