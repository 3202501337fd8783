"""What people and scripts do to the gateway: operations on the config, reports, probes, the demo.

Law: the control plane may import the data plane, never the other way round. An operation is a row in `OPERATIONS`; the
command line and every other surface only show it.
"""
