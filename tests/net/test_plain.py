"""The server's own small parts."""

from email.utils import formatdate

import pytest

from llr.net.plain import date_text


@pytest.mark.parametrize("moment", [0, 784_111_777, 951_782_400, 1_709_164_799, 1_796_000_000, 4_102_444_799])
def test_http_dates_are_those_of_the_mail_library(moment: int) -> None:
    assert date_text(moment) == formatdate(moment, usegmt=True).encode()


def test_the_example_of_the_standard() -> None:
    assert date_text(784_111_777) == b"Sun, 06 Nov 1994 08:49:37 GMT"
