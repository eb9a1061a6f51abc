"""What auditors decide and who explains: verdicts, requests, explanations, in a log of the auditors' own."""

DEFAULT_DAYS = 10  # working days until an explanation is due
