"""A newer program file: found, fetched, checked, put in place of the old one, and taken back when it does not serve.

Law: nothing is asked of any host that was not named; the old file is touched only after the new one has passed every
check and has run.
"""
