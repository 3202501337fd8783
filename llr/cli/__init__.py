"""The command line: commands in a table, one grammar for all flags, one way to print.

Law: a command decides nothing about config or gateway itself; it reads its flags and calls `control` or `daemon`.
"""
