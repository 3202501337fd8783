"""Words every layer shares: errors, names, clock, ids, JSON, redaction.

Law: nothing here imports another part of `llr`.
"""
