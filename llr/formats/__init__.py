"""Wire formats to the intermediate form and back, requests, answers, streams and errors.

Law: pure; a format knows a `Target`, never a provider.
"""
