"""What a benchmark says: ours, the limit measured in the same run, and the ratio that is promised."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.algorithms import SigningKey

YARDSTICK_RATE = 20_000  # ES256 verifications a second of the core that absolute rates are for (design §9)
_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """One promise. `ratio` is ours / limit; `promised` is its bound, from below unless `at_most`."""

    name: str
    ours: float
    limit: float
    promised: float
    unit: str
    at_most: bool = False
    facts: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        return self.ours / self.limit

    @property
    def kept(self) -> bool:
        return self.ratio <= self.promised if self.at_most else self.ratio >= self.promised


def verifications_per_second() -> float:
    """The yardstick: bare ES256 verifications a second on this core, now."""
    key = SigningKey.generate("ES256")
    data = b"x" * 500
    signature = key.sign(data)
    count, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < _SECONDS:
        for _ in range(200):
            key.public.verify(signature, data)
        count += 200
    return count / passed
