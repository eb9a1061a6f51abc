"""What a topic of ours is in Kafka: its settings, as values; nothing here talks to a cluster.

1. Everything that matters is set at the topic, so that a cluster's defaults never decide: cleaning, lags, size,
   who may lead, whose clock (the broker's: a writer's clock must not hold up cleaning).
2. A compacted topic's segment ends before its records reach the maximum lag, with the minimum lag to spare: cleaning
   spares the last segment and what is younger than the minimum, so else erased content would stay past the maximum.
3. Replicas: three where there are brokers for it, and an acknowledged record is on two at least.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.edge.transport.interface import Cleaning, Compacted, Expiring

MAX_BATCH_BYTES = 1_048_588  # Kafka's own default, written down: `MAX_RECORD_BYTES` with its framing fits
REPLICAS = 3
SEGMENTS_PER_RETENTION = 7  # a segment goes as a whole: an expired record stays a seventh longer at most


@dataclass(frozen=True, slots=True)
class LiveTopic:
    """A topic as a cluster has it: settings by Kafka's names, defaults included."""

    partitions: int
    replicas: int
    settings: Mapping[str, str]


def topic_settings(cleaning: Cleaning, replicas: int) -> Mapping[str, str]:
    """A topic's settings by Kafka's names, for `oncegate topics` too."""
    return {
        **_cleaning(cleaning),
        "min.insync.replicas": str(2 if replicas >= REPLICAS else 1),
        "max.message.bytes": str(MAX_BATCH_BYTES),
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "LogAppendTime",
        "compression.type": "producer",
    }


def _cleaning(cleaning: Cleaning) -> Mapping[str, str]:
    match cleaning:
        case Compacted(min_lag_ms, max_lag_ms):
            return {
                "cleanup.policy": "compact",
                "min.compaction.lag.ms": str(min_lag_ms),
                "max.compaction.lag.ms": str(max_lag_ms),
                "segment.ms": str(cleaning.segment_ms),
            }
        case Expiring(retention_ms):
            return {
                "cleanup.policy": "delete",
                "retention.ms": str(retention_ms),
                "retention.bytes": "-1",
                "segment.ms": str(max(retention_ms // SEGMENTS_PER_RETENTION, 1)),
            }
