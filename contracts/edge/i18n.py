"""Which of the two languages this terminal reads.

`ONCEGATE_LANG` decides; without it the locale does, in the order of POSIX (`LC_ALL`, `LC_MESSAGES`, `LANG`).
Chinese of any region gives `zh-CN`, everything else `en`.
"""

import os
from collections.abc import Mapping

_VARIABLES = ("ONCEGATE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def language(environ: Mapping[str, str] | None = None) -> str:
    """`zh-CN` or `en`: one of `contracts.text.LANGUAGES`."""
    variables = os.environ if environ is None else environ
    wanted = next((variables[name] for name in _VARIABLES if variables.get(name)), "")
    return "zh-CN" if wanted.lower().startswith("zh") else "en"
