"""Records on their way out, for tests."""

import json
from dataclasses import replace
from typing import Any

from audit.merkle import leaf_hash
from audit.package.table import GRANTED, Item, Opening
from audit.record import opening_text, record
from tests.unit.audit.test_record import FACTS, SALT


def item(number: int = 1, position: int = 7, opened: bool = False, **changes: Any) -> Item:
    """The record of `FACTS`, with changes of its facts."""
    facts = replace(FACTS, **changes)
    leaf, _ = record(facts, [b"x"], SALT)
    text = opening_text(facts.holder, facts.clerk, facts.terminal, facts.case, facts.records, facts.declared)
    opening = Opening(GRANTED, text, SALT, json.loads(text)) if opened else None
    return Item(number, "gov.example/a", position, leaf, leaf_hash(leaf), json.loads(leaf), opening)
