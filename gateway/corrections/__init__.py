"""Correction requests (纠错申请) on their way from the clerk to the department, and what became of them."""
