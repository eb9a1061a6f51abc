"""The HTTP API of the auditor role, on the auditor's host (`oncegate-audit serve`)."""
