"""How long upstreams ask to wait."""

import pytest

from llr.routing.waits import retry_after, seconds_or_date

NOW = 1_772_293_357.0

CASES: list[tuple[int, dict[str, str], float | None]] = [
    (429, {}, None),
    (429, {"retry-after": "60"}, 60.0),
    (429, {"retry-after": " 7 seconds"}, 7.0),
    (429, {"retry-after": "1.5"}, 1.5),
    (429, {"retry-after": "999999999"}, 86_400.0),
    (429, {"retry-after": "-5"}, 0.0),
    (429, {"retry-after": "soon"}, 0.0),
    (429, {"retry-after": "Sat, 28 Feb 2026 15:43:37 GMT"}, 60.0),
    (429, {"retry-after": "Saturday, 28-Feb-26 15:43:37 GMT"}, 60.0),
    (429, {"retry-after": "Sat, 28 Feb 2026 15:00:00 GMT"}, 0.0),
    (429, {"retry-after": "Sat Feb 28 15:43:37 2026"}, 60.0),
    (429, {"retry-after": "Sat, 28 Foo 2026 15:43:37 GMT"}, 0.0),
    (503, {"retry-after": "3"}, 3.0),
    (429, {"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
    (429, {"retry-after-ms": "x", "retry-after": "2"}, 2.0),
    (429, {"x-ratelimit-reset-requests": "6m0s"}, 360.0),
    (429, {"x-ratelimit-reset-tokens": "17ms"}, 0.017),
    (429, {"x-ratelimit-reset-requests": "1h2m3.5s"}, 3723.5),
    (
        429,
        {
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-remaining-requests": "99",
            "x-ratelimit-reset-tokens": "20s",
            "x-ratelimit-remaining-tokens": "0",
        },
        20.0,
    ),
    (429, {"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "20s"}, 1.0),
    (
        429,
        {
            "anthropic-ratelimit-requests-reset": "2026-02-28T15:42:40Z",
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2026-02-28T15:43:07Z",
            "anthropic-ratelimit-input-tokens-remaining": "0",
            "anthropic-ratelimit-output-tokens-reset": "2026-02-28T16:42:37Z",
            "anthropic-ratelimit-output-tokens-remaining": "8000",
        },
        30.0,
    ),
    # Something is left of every limit: no reset would have helped.
    (429, {"x-ratelimit-reset-requests": "1ms", "x-ratelimit-remaining-requests": "99"}, None),
    (429, {"x-ratelimit-reset": "1772293400", "x-ratelimit-remaining": "0"}, 43.0),
    (429, {"x-ratelimit-reset": "1772293400000"}, 43.0),
    (429, {"x-ratelimit-reset": "12"}, 12.0),
    (429, {"ratelimit-reset": "9", "ratelimit-remaining": "0"}, 9.0),
    (429, {"x-ratelimit-reset-requests": "whenever"}, None),
    (429, {"x-ratelimit-reset": "nan"}, 0.0),
    # Reset fields come with every answer; only a 429 says that a limit was hit.
    (500, {"x-ratelimit-reset-requests": "6m0s"}, None),
    (529, {"anthropic-ratelimit-requests-reset": "2026-02-28T15:50:00Z"}, None),
]


@pytest.mark.parametrize(("status", "headers", "wait"), CASES)
def test_retry_after(status: int, headers: dict[str, str], wait: float | None) -> None:
    found = retry_after(status, headers, NOW)
    assert found == (wait if wait is None else pytest.approx(wait))


def test_odd_dates_are_no_error() -> None:
    for text in ("", "99", "Sat, 99 Feb 2026 15:00:00 GMT", "Sat, 28 Feb 99999 15:00:00 GMT", "\x00"):
        assert isinstance(seconds_or_date(text, NOW), float)
