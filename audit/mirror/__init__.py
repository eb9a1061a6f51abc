"""The mirror: the auditor's own copy of every audit log that the registry lists, verified as it is read."""
