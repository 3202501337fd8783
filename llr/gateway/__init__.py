"""One request from the client's head to the answer's last byte.

Law: no sockets and no clock of its own; everything that touches the world comes in through `Deps`.
"""
