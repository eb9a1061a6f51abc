"""Which topics an installation has: derived from the registry, never from names. Nothing relies on auto-creation."""

from collections.abc import Mapping

from contracts.corrections import replies_topic, requests_topic
from contracts.edge.transport import COMPACTED, Cleaning, Expiring, Transport
from contracts.edge.transport.interface import DAY_MS
from contracts.registry.snapshot import Snapshot
from contracts.rejects import rejects_topic
from gateway.control.build import REGISTRY_TOPIC
from gateway.supervision import SUPERVISION_TOPIC

UNVERIFIED_TOPIC = "rejects.unverified"
# Rejects are kept 7 days at most (design §4). Kafka drops whole segments, so a record may stay a seventh longer.
_REJECTS = Expiring(6 * DAY_MS)
_SUPERVISION = Expiring(30 * DAY_MS)
CORRECTIONS = Expiring(90 * DAY_MS)  # a request that is open for longer is sent again (`gateway.corrections.judge`)


def topics_of(registry: Snapshot) -> Mapping[str, Cleaning]:
    """Every topic of the registry as it is, with how it is cleaned."""
    topics: dict[str, Cleaning] = {
        REGISTRY_TOPIC: COMPACTED,
        UNVERIFIED_TOPIC: _REJECTS,
        SUPERVISION_TOPIC: _SUPERVISION,
    }
    topics |= {stream.topic: COMPACTED for stream in registry.streams}
    topics |= {rejects_topic(adapter): _REJECTS for adapter in registry.adapters}
    topics |= {requests_topic(adapter): CORRECTIONS for adapter in registry.adapters}
    topics |= {replies_topic(node.id): CORRECTIONS for node in registry.contents.nodes}
    return topics


def create_missing(transport: Transport, registry: Snapshot) -> tuple[str, ...]:
    """Create the topics that are not there; the names of those created.

    Looks first: a cluster that lets us create nothing refuses even what is there already.
    """
    with transport.admin() as admin:
        present = admin.topics()
        wanted = {name: cleaning for name, cleaning in topics_of(registry).items() if name not in present}
        return tuple(admin.create_topics(wanted)) if wanted else ()
