"""Approval systems that ask all the time, each on a connection of its own, and all that they were told.

1. A question is about a person that somebody may know, or what `ask` wants answered. No answer (killed, refused by the
   socket, timed out): counted, and asked again after a moment; what was wanted is asked until it is answered.
2. Every HTTP answer is kept until `take`, with when it was asked for and when it came (monotonic seconds).
"""

import http.client
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, SimpleQueue
from random import Random
from typing import Any, NamedTuple

from contracts.edge.keys import load_signing_key
from gateway.client import TokenClient, tls_context
from tests.e2e.faults.layout import APPS, App, Layout, Slot
from tests.e2e.faults.sources import HEALTH, IDENTITY, PERSONS, person

ITEM = "cn.open-restaurant"
CLERK = "clerk-0412"
PACE_S = 0.04
RETRY_S = 0.1
TIMEOUT_S = 20.0
TYPES = (HEALTH.evidence_type, IDENTITY.evidence_type)


class Question(NamedTuple):
    evidence_type: str
    person: int


class Answer(NamedTuple):
    """What one client was told: status and parsed body; `began`, `ended` in monotonic seconds."""

    slot: str
    app: str
    question: Question
    case: str
    began: float
    ended: float
    status: int
    body: Mapping[str, Any]


@dataclass(slots=True)
class Load:
    """The clients of a city: one for each app at each slot."""

    layout: Layout
    seed: int
    unanswered: int = 0
    _answers: list[Answer] = field(default_factory=list)
    _wanted: "SimpleQueue[Question]" = field(default_factory=SimpleQueue)
    _open: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        pairs = [(slot, app) for slot in self.layout.slots for app in APPS]
        for number, (slot, app) in enumerate(pairs):
            work = _Client(self, slot, app, Random(self.seed + number))
            self._threads.append(threading.Thread(target=work.run, name=f"client {number}", daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def ask(self, questions: Iterable[Question], seconds: float) -> None:
        """Until each of these was answered with 200."""
        with self._changed:
            for question in questions:
                self._open += 1
                self._wanted.put(question)
            assert self._changed.wait_for(lambda: not self._open, seconds), f"{self._open} questions without answer"

    def take(self) -> tuple[Answer, ...]:
        """What came since the last `take`."""
        with self._changed:
            taken, self._answers = self._answers, []
        return tuple(taken)

    def answered(self, slot: str, since: float) -> bool:
        """Whether this slot answered a question asked after `since`."""
        with self._changed:
            return any(one.slot == slot and one.began > since for one in reversed(self._answers))

    # --- the clients -----------------------------------------------------------------------------------------

    def next_question(self, chance: Random) -> tuple[Question, bool]:
        """A question, and whether somebody waits for its answer."""
        try:
            return self._wanted.get_nowait(), True
        except Empty:
            return Question(chance.choice(TYPES), chance.randrange(PERSONS)), False

    def settle(self, question: Question, wanted: bool, answer: Answer | None) -> None:
        with self._changed:
            if answer is None:
                self.unanswered += 1
            else:
                self._answers.append(answer)
            if wanted and (answer is None or answer.status != http.client.OK):
                self._wanted.put(question)
            elif wanted:
                self._open -= 1
                self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Pace; whether it is over."""
        return self._stop.wait(seconds)


class _Client:
    """One connection that keeps asking, for one thread."""

    def __init__(self, load: Load, slot: Slot, app: App, chance: Random) -> None:
        self._load, self._chance = load, chance
        self._asker = Asker(load.layout, slot, app, "load")

    def run(self) -> None:
        pace = 0.0
        while not self._load.wait(pace):
            question, wanted = self._load.next_question(self._chance)
            answer = self._asker.ask(question)
            self._load.settle(question, wanted, answer)
            answered = answer is not None and answer.status == http.client.OK
            pace = RETRY_S if not answered else 0.0 if wanted else PACE_S
        self._asker.close()


class Asker:
    """One app at one slot. After anything but a 200 it begins anew: connection, token. Not for threads."""

    def __init__(self, layout: Layout, slot: Slot, app: App, prefix: str) -> None:
        self._layout, self._slot, self._app, self._prefix = layout, slot, app, prefix
        self._cases = count()
        self._client = self._new_client()

    def ask(self, question: Question) -> Answer | None:
        """What came; None if nothing did."""
        case = f"{self._prefix}-{self._slot.name}-{self._app.name}-{next(self._cases)}"
        body = {
            "service_item": ITEM,
            "case": case,
            "clerk": CLERK,
            "evidence_type": question.evidence_type,
            "by": {"holder": {"scheme": "cn.ric", "id": person(question.person)}},
        }
        began = time.monotonic()
        try:
            status, _, told = self._client.post("/v1/lookups", body)
        except (OSError, http.client.HTTPException, PermissionError, ValueError):
            self._begin_anew()
            return None
        if status != http.client.OK:
            self._begin_anew()
        return Answer(self._slot.name, self._app.name, question, case, began, time.monotonic(), status, told)

    def close(self) -> None:
        self._client.close()

    def _begin_anew(self) -> None:
        self._client.close()
        self._client = self._new_client()

    def _new_client(self) -> TokenClient:
        layout, name = self._layout, self._app.name
        key = load_signing_key(layout.private(name), "ES256")
        shown = (layout.certificate(name), layout.private(name)) if self._app.binding == "mtls" else (None, None)
        context = tls_context(layout.certificate("tls"), *shown)
        return TokenClient(self._slot.base_url, name, context, key, self._app.binding, timeout_s=TIMEOUT_S)
