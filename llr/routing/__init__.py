"""From a model name to an ordered list of candidates, and from an outcome to the next step.

Law: pure; never sees a body, a socket or a clock.
"""
