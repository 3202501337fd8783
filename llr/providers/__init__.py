"""From a candidate and a body to an outbound request: URL, headers, credentials, vendor quirks.

Law: pure; keys come in as arguments and leave only inside an `OutboundRequest`.
"""
