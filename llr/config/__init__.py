"""The configuration: raw document in, frozen `Config` out, every issue at once.

Law: no files, no environment of its own; `parse_config(raw, env)` is a function of its arguments.

The way of a document: `document` reads and writes its bytes, `migrate` brings it to the current version, `parse`
turns it into a `Config` and issues (`cursor` is the reader, `keys` the table of every key, `codes` of every issue),
`links` looks references up. `edit` has every change, `mask` and `view` are for showing it, `settings` and `knobs`
for the environment variables.
"""
