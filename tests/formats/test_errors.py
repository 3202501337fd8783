"""Every dialect's errors are read, and said in each client's words."""

import json
import time
from typing import Any

import pytest

from llr.base.errors import ErrorKind, Fault
from llr.formats.base import FaultContext
from llr.formats.errors import overflow_numbers, read_error, read_fault, retry_after_s, stream_fault
from llr.formats.table import FORMATS
from llr.wire.http import Headers

from .samples import A, C

NONE = Headers([])


def read(status: int, body: Any, headers: Headers = NONE) -> Fault:
    return read_fault(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


DIALECTS: dict[str, tuple[Any, str]] = {
    "openai": ({"error": {"message": "bad", "type": "invalid_request_error", "param": "x", "code": None}}, "bad"),
    "messages": ({"type": "error", "error": {"type": "invalid_request_error", "message": "bad"}}, "bad"),
    "gemini": ({"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}, "bad"),
    "gemini list": ([{"error": {"code": 400, "message": "bad"}}], "bad"),
    "text error": ({"error": "bad"}, "bad"),
    "vllm": ({"object": "error", "message": "bad", "type": "BadRequestError", "code": 400}, "bad"),
    "litellm": ({"code": "400", "message": "bad"}, "bad"),
    "fastapi": ({"detail": "bad"}, "bad"),
    "fastapi list": ({"detail": [{"loc": ["body", "x"], "msg": "bad"}]}, "body.x: bad"),
    "message": ({"message": "bad"}, "bad"),
    "html": (b"<html><head><title>Bad gateway</title></head><body>x</body></html>", "Bad gateway"),
    "plain": (b"went wrong", "went wrong"),
    "cut json": (b'{"error": {"mess', '{"error": {"mess'),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_peer_20_a_dialect_is_read(name: str) -> None:
    body, message = DIALECTS[name]
    fault = read(400, body)
    assert (fault.kind, fault.message) == (ErrorKind.INVALID_REQUEST, message)


@pytest.mark.parametrize(
    ("status", "text", "kind", "seen"),
    [
        (401, "no", ErrorKind.UPSTREAM_AUTH, 502),
        (402, "pay", ErrorKind.QUOTA, 402),
        (403, "no", ErrorKind.FORBIDDEN, 403),
        (404, "no route", ErrorKind.NOT_FOUND, 404),
        (404, "The model `x` does not exist", ErrorKind.MODEL_NOT_FOUND, 404),
        (413, "big", ErrorKind.TOO_LARGE, 413),
        (422, "bad", ErrorKind.INVALID_REQUEST, 422),
        (429, "slow down", ErrorKind.RATE_LIMITED, 429),
        (429, "You exceeded your current quota", ErrorKind.QUOTA, 429),
        (400, "Your credit balance is too low", ErrorKind.QUOTA, 400),
        (400, "API key not valid. Please pass a valid API key.", ErrorKind.UPSTREAM_AUTH, 502),
        (500, "boom", ErrorKind.UPSTREAM_REJECTED, 500),
        (503, "busy", ErrorKind.OVERLOADED, 503),
        (504, "late", ErrorKind.UPSTREAM_TIMEOUT, 504),
        (529, "busy", ErrorKind.OVERLOADED, 529),
    ],
)
def test_a_status_has_its_kind(status: int, text: str, kind: ErrorKind, seen: int) -> None:
    fault = read(status, {"error": {"message": text}})
    assert (fault.kind, fault.http_status) == (kind, seen)


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "the request exceeds the available context size, try increasing it",
        "The number of tokens to keep from the initial prompt is greater than the context length.",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "Input is too long for requested model",
        "The input token count (1300000) exceeds the maximum number of tokens allowed (1048576).",
        "This prompt is longer than the maximum model length of 4096.",
    ],
)
def test_an_overflow_is_known_in_every_wording(text: str) -> None:
    assert read(400, {"error": {"message": text}}).kind is ErrorKind.CONTEXT_OVERFLOW


def test_peer_39_an_overflow_is_said_so_that_clients_compact() -> None:
    said = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    fault = Fault(ErrorKind.CONTEXT_OVERFLOW, said)
    assert overflow_numbers(said) == (9000, 8192)
    status, _, body = FORMATS[A].encode_fault(fault, FaultContext())
    assert (status, json.loads(body)["error"]) == (
        400,
        {"type": "invalid_request_error", "message": "prompt is too long: 9000 tokens > 8192 maximum"},
    )
    assert json.loads(FORMATS[C].encode_fault(fault, FaultContext())[2])["error"]["code"] == "context_length_exceeded"


def test_overload_has_each_vendors_status() -> None:
    fault = Fault(ErrorKind.OVERLOADED, "busy", 529, retry_after_s=1.2)
    status, headers, body = FORMATS[A].encode_fault(fault, FaultContext(request_id="req_1"))
    assert (status, json.loads(body)) == (
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}, "request_id": "req_1"},
    )
    assert (b"retry-after", b"2") in headers
    assert (b"request-id", b"req_1") in headers
    status, _, body = FORMATS[C].encode_fault(fault, FaultContext())
    assert (status, json.loads(body)["error"]["type"]) == (503, "server_error")


def test_a_refused_request_says_that_repeating_does_not_help() -> None:
    _, headers, _ = FORMATS[C].encode_fault(Fault(ErrorKind.INVALID_REQUEST, "bad", param="n"), FaultContext())
    assert (b"x-should-retry", b"false") in headers


@pytest.mark.parametrize("page", [b"<" * 2_000_000, b"<title>" * 300_000, b"<head>" * 300_000])
def test_a_page_of_open_tags_costs_no_time(page: bytes) -> None:
    started = time.process_time()
    assert len(read(500, b"<html>" + page).message) <= 500
    assert time.process_time() - started < 1


def test_what_is_the_requests_fault_is_said_to_be_it_whatever_its_kind() -> None:
    fault = Fault(ErrorKind.CONFIGURATION, "no provider speaks this", 400)
    for client in (A, C):
        status, _, body = FORMATS[client].encode_fault(fault, FaultContext())
        assert (status, json.loads(body)["error"]["type"]) == (400, "invalid_request_error")


def test_in_stream_errors_have_the_kind_of_their_status() -> None:
    assert stream_fault({"error": {"type": "overloaded_error", "message": "x"}}).kind is ErrorKind.OVERLOADED
    assert stream_fault({"error": {"code": 429, "message": "x"}}).kind is ErrorKind.RATE_LIMITED
    assert (
        stream_fault({"error": {"code": "context_length_exceeded", "message": "x"}}).kind is ErrorKind.CONTEXT_OVERFLOW
    )
    assert stream_fault("broke").message == "broke"
    assert stream_fault({"error": {"message": "x"}}).kind is ErrorKind.UPSTREAM_REJECTED


def test_secrets_in_upstream_errors_are_not_repeated() -> None:
    said = read(401, {"error": {"message": "Incorrect API key provided: sk-abcdefgh12345678"}}).message
    assert "12345678" not in said


def test_retry_after_is_read_in_both_units() -> None:
    assert retry_after_s(Headers([(b"retry-after-ms", b"250"), (b"retry-after", b"9")])) == 0.25
    assert retry_after_s(Headers([(b"retry-after", b"9")])) == 9
    assert retry_after_s(Headers([(b"retry-after", b"Wed, 21 Oct")])) is None


def test_an_answer_is_no_error() -> None:
    assert read_error({"id": "x", "choices": []}) is None
    assert read_error([1]) is None
