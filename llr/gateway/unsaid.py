"""What upstreams say of our credentials, taken out of their refusals before anybody reads them.

Law: only the very values that were sent go, and only from failures; answers stay byte for byte.
"""

import re
from urllib.parse import unquote_to_bytes

from llr.base.records import replace
from llr.config.mask import is_secret_header
from llr.gateway.attempt import Failure, Question
from llr.wire.http import Headers

# A parameter of a base URL that carries a key.
_PARAMETER = re.compile(r"[?&]([^=&]+)=([^&]+)")
_INSTEAD = b"[redacted]"
# Shorter values are words that any text may hold.
_SHORTEST = 8
# Names that look like a credential's but carry the client's own word.
_CLIENTS_OWN = b"x-prompt-cache-"


def unsaid(failure: Failure, question: Question) -> Failure:
    """Returns the failure without the credentials of its request, which some upstreams repeat in their errors."""
    for secret in _credentials(question):
        failure = _without(failure, secret)
    return failure


def _credentials(question: Question) -> list[bytes]:
    request = question.request
    values = [
        value.rpartition(b" ")[2]
        for name, value in request.headers
        if is_secret_header(name.decode("latin-1")) and not name.startswith(_CLIENTS_OWN)
    ]
    if question.key is not None:  # it may travel in a header of any name
        values.append(question.key.reveal().encode("utf-8", "surrogateescape"))
    for name, value in _PARAMETER.findall(request.target):
        if name == "sig" or is_secret_header(name):
            values += [value.encode("ascii", "replace"), unquote_to_bytes(value)]
    return [value for value in dict.fromkeys(values) if len(value) >= _SHORTEST]


def _without(failure: Failure, secret: bytes) -> Failure:
    words = secret.decode("utf-8", "replace")
    said = failure.verbatim
    if said is not None and (secret in said.body or _in(said.headers, secret)):
        body = said.body.replace(secret, _INSTEAD)
        failure = replace(failure, verbatim=replace(said, headers=_cleaned(said.headers, secret), body=body))
    if failure.headers is not None and _in(failure.headers, secret):
        failure = replace(failure, headers=_cleaned(failure.headers, secret))
    if words in failure.excerpt or words in failure.fault.message:
        fault = replace(failure.fault, message=failure.fault.message.replace(words, _INSTEAD.decode()))
        failure = replace(failure, fault=fault, excerpt=failure.excerpt.replace(words, _INSTEAD.decode()))
    return failure


def _in(headers: Headers, secret: bytes) -> bool:
    return any(secret in value for _, value in headers.raw)


def _cleaned(headers: Headers, secret: bytes) -> Headers:
    return Headers([(name, value.replace(secret, _INSTEAD)) for name, value in headers.raw])
