"""The live feed to supervision (电子监察): every entry of the audit log as an event, on a topic and to webhooks."""

from typing import Final

SUPERVISION_TOPIC: Final = "supervision"
