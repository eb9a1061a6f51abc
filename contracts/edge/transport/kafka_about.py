"""What a Kafka cluster says about itself and about who asks. Requests only; nothing is changed.

1. Kafka does not tell its release. It tells which levels of the feature `metadata.version` it supports (KIP-584), and
   each release has levels of its own.
2. A principal may always ask what it is allowed to do itself (KIP-430): no right to see ACLs is needed, and what
   counts is asked instead of what was meant.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from kafka import errors
from kafka.protocol.metadata import ApiVersionsRequest, MetadataRequest

from contracts.edge.transport.kafka_errors import code_error
from contracts.edge.transport.kafka_link import Link

PORTION: Final = 500
_FEATURE: Final = "metadata.version"
# The highest level that a release supports (Kafka's MetadataVersion).
_RELEASES: Final = ((7, "3.3"), (8, "3.4"), (11, "3.5"), (14, "3.6"), (19, "3.7"), (20, "3.8"), (21, "3.9"),
                    (25, "4.0"), (27, "4.1"), (29, "4.2"), (30, "4.3"))  # fmt: skip
# AclOperation codes (Kafka protocol guide), by the names that its tools use.
_OPERATIONS: Final[Mapping[int, str]] = {
    3: "Read", 4: "Write", 5: "Create", 6: "Delete", 7: "Alter", 8: "Describe", 10: "DescribeConfigs",
    11: "AlterConfigs",
}  # fmt: skip


def release(link: Link) -> str:
    """The release, such as "4.3"; "" if it cannot be told (rule 1). Raises our errors."""
    answer = link.ask(lambda: ApiVersionsRequest(client_software_name="oncegate", client_software_version="1"))
    features: Iterable[Any] = answer.supported_features or ()
    level = max((one.max_version for one in features if one.name == _FEATURE), default=0)
    return release_of(level)


def release_of(level: int) -> str:
    """The release whose highest level of `metadata.version` this is; a later one is told as such."""
    if level > _RELEASES[-1][0]:
        return f"> {_RELEASES[-1][1]}"
    return next((name for highest, name in _RELEASES if 0 < level <= highest), "")


def permitted(link: Link, names: list[str]) -> Mapping[str, frozenset[str] | None]:
    """What who asks may do with each topic, there or not (rule 2); None: the cluster does not say."""
    found: dict[str, frozenset[str] | None] = {}
    for start in range(0, len(names), PORTION):
        answer = link.ask(partial(_question, names[start : start + PORTION]))
        found |= {topic.name: _operations(topic) for topic in answer.topics}
    return found


def _question(names: list[str]) -> MetadataRequest:
    topic = MetadataRequest.MetadataRequestTopic
    return MetadataRequest(
        topics=[topic(name=name) for name in names],
        allow_auto_topic_creation=False,
        include_cluster_authorized_operations=False,
        include_topic_authorized_operations=True,
        min_version=12,
    )


def _operations(topic: Any) -> frozenset[str] | None:
    if isinstance(code_error(topic.error_code), errors.TopicAuthorizationFailedError):
        return frozenset()
    codes = topic.authorized_operations
    return None if codes is None else frozenset(_OPERATIONS[code] for code in codes if code in _OPERATIONS)
