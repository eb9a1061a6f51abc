"""A sample of six records and three reviewers, and a ledger to which things happen, by hand."""

from collections.abc import Sequence

from audit.review.events import Event, Place, Recorded, SampleDrawn, Verdict, Whom
from audit.review.ledger import Ledger, fold
from audit.review.samples import Sample, sample_of
from contracts.encoding import Json, canonical

A, B = "gov.example/a", "gov.example/b"
UNIT = Whom("housing", "window-1")
REVIEWERS = ("Wang", "Li", "Zhang")


def document(reviewers: Sequence[str] = REVIEWERS, count: int = 6) -> dict[str, Json]:
    """Records by turns of both logs, in the strata `even` and `odd`, dealt in order."""
    picks = [
        {
            "log": (A, B)[n % 2],
            "position": n,
            "stratum": ("even", "odd")[n % 2],
            "reviewer": reviewers[n % len(reviewers)],
        }
        for n in range(count)
    ]
    strata = {"even": {"population": 50, "picked": (count + 1) // 2}, "odd": {"population": 50, "picked": count // 2}}
    return {
        "kind": "sample",
        "algorithm": "oncegate-sample-1",
        "checkpoints": [f"{A}\n50\nAAAA\n\n— signature\n"],
        "nonce": "n",
        "size": count,
        "by": "decision",
        "witnessed": False,
        "cosigned": [],
        "left_out": [],
        "reviewers": list(reviewers),
        "filters": [],
        "seed": "00" * 32,
        "population": 100,
        "strata": strata,
        "picks": picks,
    }


def sample(count: int = 6) -> Sample:
    return sample_of(canonical(document(count=count)), "sample.json")


def place(given: Sample, position: int) -> Place:
    return given.place(f"{(A, B)[position % 2]}:{position}")


def ledger(given: Sample, *events: Event, known: bool = True) -> Ledger:
    """After the start and these events, one a second, all with something in their openings."""
    began = SampleDrawn(given.digest, given.seed, len(given.picks), drawn_again=True)
    recorded = [Recorded(number, number * 1000, event, True) for number, event in enumerate((began, *events))]
    return fold(recorded, [given] if known else [])


def verdict(
    given: Sample, position: int, said: str, reviewer: str | None = None, deadline: str = "2026-12-04"
) -> Verdict:
    """By the assigned reviewer, unless said otherwise."""
    subject = place(given, position)
    asks = said == "explanation_required"
    name = reviewer or given.picks[subject].reviewer
    return Verdict(subject, name, said, None, UNIT if asks else None, deadline if asks else None)
