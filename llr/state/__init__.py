"""Where routing remembers: cursors, bucket counts, health, pins and leases, behind one protocol.

`store`, `records`, `statefile` and `memory` are pure; `file`, `sqlite` and `redis` are shells around the same
operations, `resilient` keeps a request from failing when one of them does. `opening.STORES` is the table of them.
"""
