"""Where routing remembers: cursors, bucket counts, health, pins and leases, behind one protocol.

`store` and `memory` are pure; `file`, `sqlite` and `redis` are shells around the same operations.
"""
