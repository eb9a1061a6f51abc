"""The auditor's index over any number of logs: built, searched, counted, sampled, reconciled. Disposable."""
