"""How often an address may fail to authenticate: a token bucket for each, bounded in number.

1. Only failures count. An address that never fails is never in here.
2. An address whose bucket is empty is turned away before any signature is verified, but for tokens that were
   verified already: behind one address there may be a whole office, and one broken client in it.
3. An IPv6 subscriber has a whole /64, so it counts as one address.
4. When there are too many addresses, the one that failed longest ago is forgotten.
5. A clock that goes back stops no bucket from filling: it fills from then on.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address


@dataclass(frozen=True, slots=True)
class Limits:
    """`burst` failures at once, then `per_minute`; at most `peers` addresses are remembered."""

    burst: int = 60
    per_minute: int = 60
    peers: int = 50_000


class Throttle:
    """Failures by address. Not for threads; safe under one event loop."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()  # (left, as of Unix ms)

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, peer: str, now: int) -> int:
        """Seconds until `peer` may fail again; 0 when it may now. `now` in Unix ms."""
        if not self._buckets:
            return 0
        left = self._left(_group(peer), now)
        return 0 if left >= 1 else max(1, round((1 - left) * 60 / self._limits.per_minute))

    def failed(self, peer: str, now: int) -> None:
        """Count one failure of `peer`."""
        group = _group(peer)
        self._buckets[group] = (max(0.0, self._left(group, now) - 1), now)
        self._buckets.move_to_end(group)
        if len(self._buckets) > self._limits.peers:
            self._buckets.popitem(last=False)

    def _left(self, group: str, now: int) -> float:
        left, then = self._buckets.get(group, (float(self._limits.burst), now))
        if now < then:
            self._buckets[group] = (left, now)
            return left
        return min(self._limits.burst, left + (now - then) * self._limits.per_minute / 60_000)


def _group(peer: str) -> str:
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return peer
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
