"""The process around the gateway: instance file and lock, addresses, sockets, control channel, workers, hand-over.

Law: nothing here knows what is served. A composition root hands in `build`, which makes an `App`.
"""
