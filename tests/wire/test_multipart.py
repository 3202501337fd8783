"""Forms: one field replaced, every other byte kept."""

import pytest

from llr.base.errors import GatewayError
from llr.wire.multipart import Form, boundary_of

TYPE = 'multipart/form-data; boundary="x-1"'
BODY = (
    b'--x-1\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b'\x00\x01\r\n--x-2\r\n name="model" \r\n\r\n\r\n--x-1\r\nContent-Disposition: form-data; name="model"\r\n\r\nold'
    b"\r\n--x-1\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--x-1--\r\n"
)


def test_the_model_field_is_replaced_in_place() -> None:
    form = Form(BODY, TYPE)
    assert form.text("model") == "old"
    assert form.text("empty") == ""
    assert form.text("filename") == ""
    assert b"".join(form.splice("model", "vendor/new")) == BODY.replace(b"\r\nold", b"\r\nvendor/new")


def test_an_absent_field_is_put_in_front() -> None:
    body = b'preamble\r\n--x-1\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x-1--'
    parts = Form(body, TYPE).splice("model", "m")
    assert Form(b"".join(parts), TYPE).text("model") == "m"
    assert b"".join(parts).endswith(body.removeprefix(b"preamble\r\n"))


@pytest.mark.parametrize(
    "body", [b"", b"x", b"--x-1", b"--x-1\r\nno end", BODY[:-6], b"--x-1\r\n\r\n\r\n", b"\r\n--x-1\r\nA: b\r\n\r\nc"]
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(GatewayError):
        Form(body, TYPE)


def test_a_form_with_too_many_parts_is_refused() -> None:
    with pytest.raises(GatewayError):
        Form(b"--b\r\n\r\n\r\n" * 2000 + b"--b--", "multipart/form-data; boundary=b")


def test_boundaries() -> None:
    assert boundary_of("multipart/form-data; charset=utf-8; Boundary=abc;x=y") == b"abc"
    with pytest.raises(GatewayError):
        boundary_of("multipart/form-data")
