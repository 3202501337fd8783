"""Wire formats to the intermediate form and back, requests, answers, streams and errors.

Law: pure; a format knows a `Target`, never a provider. `table.FORMATS` lists them, `translate` joins any two, `relay`
does what same-format bodies need, `repair` mends what an upstream refuses.
"""
