"""docs/error-codes.md, made from the one table: `python -m tests.error_codes_page`. A test says when it is outdated."""

from collections.abc import Iterator
from pathlib import Path

from contracts.errors import ERRORS, FAULTS

PAGE = Path(__file__).parent.parent / "docs" / "error-codes.md"

_HEAD = """# Error codes

Made from the table in `contracts/errors.py` by `python -m tests.error_codes_page`; do not edit by hand.

Every refusal names a code, whose fault it is, and what to do next. HTTP answers are problem details (RFC 9457) with
`code`, `fault`, `title` and `next_step`; rejected messages carry the code and a JSON pointer; command lines print the
sentence. `HTTP` is the status when the error reaches an HTTP caller.
"""

_TITLES = {
    "client": "The caller corrects the request (`client`)",
    "policy": "The security officer decides (`policy`)",
    "department": "The providing department corrects its data or keys (`department`)",
    "gateway": "The operator of the gateway acts (`gateway`)",
}


def page() -> str:
    """The whole page."""
    return _HEAD + "".join("\n" + "\n".join(_section(fault)) + "\n" for fault in FAULTS)


def _section(fault: str) -> Iterator[str]:
    yield f"## {_TITLES[fault]}\n"
    yield "| code | HTTP | 含义 | meaning | 下一步 | next step |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for code, row in sorted(ERRORS.items()):
        if row.fault == fault:
            cells = (f"`{code}`", str(row.status), row.title.zh, row.title.en, row.next_step.zh, row.next_step.en)
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
