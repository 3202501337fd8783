"""The command line: commands in a table, one grammar for all flags, one way to print.

Law: a command decides nothing about the config or the gateway itself; it reads flags and calls `control` or `daemon`.
"""
