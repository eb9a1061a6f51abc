"""What auditors decide and who explains: verdicts, requests, explanations, in a log of the auditors' own."""
