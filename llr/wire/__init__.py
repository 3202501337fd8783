"""Requests, answers, streams and their framing as values and pure stages.

Law: no sockets, clocks or files; a stage gives the same output for any chunking of its input.
"""
