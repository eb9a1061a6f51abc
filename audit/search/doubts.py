"""What an auditor should hear beside an answer that may be empty for a mistake in the question. Pure.

1. A value of a facet that no record of the index has: `decision=拒绝` finds nothing, whoever was refused.
2. A holder's number that is none, a scheme that is not known (`holders`).
"""

from collections.abc import Callable

from audit.search.asked import WORDS, Asked
from audit.search.filters import Filters
from audit.search.holders import doubts as doubts_of_holder
from audit.search.holders import holder_of
from contracts.text import Text

_NOWHERE = Text("注意:索引中没有任何记录的 {name} 是 {value}", "Note: no record of the index has {value} as its {name}")


def doubts(asked: Asked, occurs: Callable[[Filters], bool]) -> list[Text]:
    """Rules 1 and 2; `occurs`: whether a record of the index, whatever its time and log, has these facets and types."""
    said = [
        (word, value, Filters(facets={facet: (value,)}))
        for word, facet in WORDS.items()
        for value in asked.facets.get(facet, ())
    ]
    said += [("type", value, Filters(types=(value,))) for value in asked.types]
    found = [_NOWHERE.fill(name=word, value=value) for word, value, filters in said if not occurs(filters)]
    holder = asked.people.get("holder")
    return found if holder is None else [*found, *doubts_of_holder(*holder_of(holder))]
