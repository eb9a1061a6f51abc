"""Orders about openings: restricted, lifted, erased, by the auditor and the log's operator together."""
