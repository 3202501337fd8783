"""Endpoints and model ids out of text as people paste it: terminal logs, lists, half-typed URLs.

Law: pure and total; what is no endpoint or no model id is dropped, order is kept, the first of equal ones counts.
"""

import re
from collections.abc import Iterator

from llr.config.lists import loose_list

_GLUED = re.compile(r"(?<=[^\s,;])(?=https?://)", re.IGNORECASE)
_STOP = r"\s,;'\"`<>()\]"
_URL = re.compile(rf"https?://[^{_STOP}]+", re.IGNORECASE)
_HALF_URL = re.compile(rf"\b(?:https?:?/{{1,2}}|ttps?://)[^{_STOP}]+", re.IGNORECASE)
_LABEL = re.compile(r"(?:(?:openai|claude|anthropic|gemini)?base-?_?url|url)\s*=\s*", re.IGNORECASE)
_SCHEME = re.compile(r"h?(ttps?):?/{1,2}(?=[^/])", re.IGNORECASE)
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?::\d{1,5})?(?:/\S*)?\Z", re.IGNORECASE)
_NEAR_HOST = re.compile(r"(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:/\S*)?\Z", re.IGNORECASE)
_TAIL = ")]}>.,;:\"'`"

_LEGAL_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]*\Z")
_PLAIN_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*\Z")
_LOG_LINE = re.compile(r"-\s+(\S+)\s+on\s+(?:openai|claude)\s+@")
_LOG_LIST = re.compile(r"models=((?:[^\s,\[]+\[(?:openai|claude)\](?:,\s*)?)+)")
_COUNTING = re.compile(r"\d+(?:/\d+|(?:\.\d+)?s)?\Z")
_NOISE_WORDS = (
    "openai claude anthropic discover progress endpoint endpoints testing format formats working supported auto"
    " discovery auto-discovery completed started finished done skip ok error errors warning warnings failed failure"
    " invalid request response http https status probe provider model models on at in tentative listed assigned"
    " unconfirmed rate-limit waiting"
)
_NOISE = frozenset(_NOISE_WORDS.split())


def parse_endpoints(text: str) -> list[str]:
    """Returns the http(s) URLs of a text: glued, mistyped and bare ones are repaired."""
    spaced = _GLUED.sub(" ", text)
    found = (_endpoint(candidate) for candidate in _candidates(spaced))
    return list(dict.fromkeys(url for url in found if url))


def _candidates(text: str) -> Iterator[str]:
    """Yields what may be an endpoint, in the order of the text."""
    for token in re.split(r"[\s,;'\"`<>()]+", text):
        # The token as it stands, and an address that begins inside it ("OPENAI=https://a").
        inner = _URL.search(token) or _HALF_URL.search(token)
        yield inner.group() if inner else token


def _endpoint(candidate: str) -> str:
    text = _LABEL.sub("", candidate.strip(), count=1) if _LABEL.match(candidate.strip()) else candidate.strip()
    while text and text[-1] in _TAIL and not (text[-1] == "]" and text.count("[") == text.count("]")):
        text = text[:-1]
    match = _SCHEME.match(text)
    if match:
        rest = text[match.end() :]
        return f"h{match.group(1).lower()}://{rest}" if rest else ""
    if _NEAR_HOST.match(text):
        return f"http://{text}"
    return f"https://{text}" if _DOMAIN.match(text) else ""


def parse_models(text: str) -> tuple[list[str], list[str]]:
    """Returns the model ids that a flag names, and the tokens that cannot be one."""
    tokens = loose_list(text)
    legal = [token for token in tokens if _LEGAL_MODEL.match(token) and "://" not in token]
    return legal, [token for token in tokens if token not in legal]


def pasted_models(text: str) -> list[str]:
    """Returns the model ids of pasted text, such as the lines a probe printed: noise words and counters are dropped."""
    named = [match.group(1) for match in _LOG_LINE.finditer(text)]
    for match in _LOG_LIST.finditer(text):
        named += [item.partition("[")[0].strip() for item in match.group(1).split(",") if item.strip()]
    tokens = [*named, *(token for token in loose_list(text) if "=" not in token)]
    return list(dict.fromkeys(token for token in tokens if _is_model(token)))


def typed_models(text: str) -> list[str]:
    """Returns the model ids of what a person typed or pasted: as a flag takes them, or picked out of a log."""
    listed, wrong = parse_models(text)
    return pasted_models(text) if wrong or _LOG_LINE.search(text) or _LOG_LIST.search(text) else listed


def _is_model(token: str) -> bool:
    if "://" in token or "@" in token or not _PLAIN_MODEL.match(token) or _COUNTING.match(token):
        return False
    return token.lower() not in _NOISE and any(char.isdigit() or char in "._:/-" for char in token)
