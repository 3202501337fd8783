"""JSON in and out: strict on the way in, compact on the way out."""

import json
from json.encoder import encode_basestring, encode_basestring_ascii
from math import copysign, isfinite, isnan
from sys import float_info
from typing import NoReturn, TypeAlias

from llr.base.errors import ErrorKind, fail

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"


class InvalidJSON(ValueError):
    """The bytes are not one JSON value; the message says where."""


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJSON(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_HEARING = json.JSONDecoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def loads(data: bytes, decoder: json.JSONDecoder = _DECODER) -> JSON:
    """Returns the value in UTF-8 `data`; a BOM is skipped and invalid bytes become U+FFFD.

    Raises `InvalidJSON` on a syntax error, on NaN and Infinity, and on nesting deeper than the interpreter allows.
    """
    text = data.decode("utf-8", "replace")
    if text.startswith("\ufeff"):
        text = text[1:]
    try:
        value: JSON = decoder.decode(text)
    except InvalidJSON:
        raise
    except (ValueError, RecursionError) as exc:
        raise InvalidJSON(what_is_wrong(exc)) from exc
    return value


def loads_answer(data: bytes) -> JSON:
    """Returns the value in what an upstream said: as `loads`, but NaN and Infinity are numbers.

    Servers written in Python say so where a probability is 0, and clients written in Python understand it.
    """
    return loads(data, _HEARING)


def object_in(data: bytes) -> dict[str, JSON] | None:
    """Returns the object in `data`, as an upstream may say it; None for another value and for what is no JSON."""
    try:
        value = loads_answer(data)
    except InvalidJSON:
        return None
    return value if isinstance(value, dict) else None


def what_is_wrong(exc: ValueError | RecursionError) -> str:
    """Returns what an error of the standard library's JSON reader means, and where."""
    if isinstance(exc, json.JSONDecodeError):
        return f"{exc.msg.removesuffix(' at')} at line {exc.lineno}, column {exc.colno}"
    # Python turns no more than 4,300 digits into a number.
    return "nested too deeply" if isinstance(exc, RecursionError) else "a number has too many digits"


def _finite(value: JSON) -> JSON:
    """Returns `value` with what was read from numbers beyond a float, such as 1e999, as the largest; NaN as null."""
    if isinstance(value, float) and not isfinite(value):
        return None if isnan(value) else copysign(float_info.max, value)
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list) else value


def _encoded(encoder: json.JSONEncoder, value: JSON) -> str:
    try:
        return encoder.encode(value)
    except ValueError:
        return encoder.encode(_finite(value))
    except RecursionError as exc:
        # Read it could be; what is built around it goes a few levels deeper.
        raise fail(ErrorKind.INVALID_REQUEST, "the request is nested too deeply") from exc


def dumps(value: JSON) -> bytes:
    """Returns `value` as compact UTF-8 JSON; key order is kept, a lone surrogate stays an escape."""
    text = _encoded(_ENCODER, value)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return _encoded(_ASCII_ENCODER, value).encode("ascii")


def dumps_text(value: JSON) -> str:
    """Returns `value` as compact JSON text, for JSON inside JSON (tool arguments)."""
    return _encoded(_ENCODER, value)


def quote(text: str) -> bytes:
    """Returns `text` as a JSON string in UTF-8: what `dumps` would give, without its overhead."""
    try:
        return encode_basestring(text).encode("utf-8")
    except UnicodeEncodeError:
        return encode_basestring_ascii(text).encode("ascii")
