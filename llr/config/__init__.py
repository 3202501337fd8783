"""The configuration: raw document in, frozen `Config` out, every issue at once.

Law: no files, no environment of its own; `parse_config(raw, env)` is a function of its arguments.
"""
