"""Coding tools wired to the gateway and unwired again: plans as values, one applier for all.

Law: a tool that was never wired is never touched; what was written can be taken back byte for byte.
"""
