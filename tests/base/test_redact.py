"""What looks like a secret is found wherever it stands, and nothing else is touched."""

import time

import pytest

from llr.base.redact import Secret, mask, scrub, without_logins


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@h.example/x", "http://[redacted]@h.example/x"),
        ("redis://:p@h:1/0 and https://t@h", "redis://[redacted]@h:1/0 and https://[redacted]@h"),
        ("https://u:p@ss@h", "https://[redacted]@h"),
        ("https://h/v1?a=1&api_key=abc&b=2", "https://h/v1?a=1&api_key=[redacted]&b=2"),
        (
            "https://h/v1?api-version=2&Subscription-Key=abc#x https://h?sig=a%2Bb&code=c&page=2",
            "https://h/v1?api-version=2&Subscription-Key=[redacted]#x https://h?sig=[redacted]&code=[redacted]&page=2",
        ),
        ('{"a":"http://h","b":"c@d"}', '{"a":"http://h","b":"c@d"}'),
        ("http://h/@scope/p, http://h?mail=a@b, a@b", "http://h/@scope/p, http://h?mail=a@b, a@b"),
        ("no address", "no address"),
    ],
)
def test_addresses_lose_their_logins(text: str, shown: str) -> None:
    assert without_logins(text) == shown
    assert without_logins(shown) == shown
    assert scrub(text) == shown


@pytest.mark.parametrize(
    "text", ["a." * 200_000, "http://" * 50_000, "http://" + "a" * 400_000, "http:" * 80_000, "?a-" * 90_000]
)
def test_long_texts_take_no_longer_than_they_are_long(text: str) -> None:
    before = time.process_time()
    without_logins(text)
    assert time.process_time() - before < 2


def test_what_is_shaped_like_a_key_is_found_anywhere() -> None:
    text = "sk-abcdefgh12345 Bearer abcdefghij.klm gw_abcdefgh12 my-own-value!"
    assert scrub(text, ("my-own-value!",)) == " ".join(["[redacted]"] * 4)


def test_a_secret_is_given_away_only_on_purpose() -> None:
    secret = Secret("sk-abcdefghijkl")
    assert f"{secret} {secret!r}".count("abcdefgh") == 0
    assert secret.reveal() == "sk-abcdefghijkl"
    assert (mask("short"), mask("12345678"), mask("123456789")) == ("*****", "********", "1234...6789")
