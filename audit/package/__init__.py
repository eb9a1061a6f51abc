"""What leaves the auditor's hands: tables, evidence packages, proofs; and how anybody checks them again."""
