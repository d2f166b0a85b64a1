"""Are numbers written as people read them?"""

import pytest

from cnnspec.report.units import short


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0"),
        (61_706, "61,706"),
        (9_999_999, "9,999,999"),
        (10_000_000, "10.0 M"),
        (25_557_032, "25.6 M"),
        (99_949_999, "99.9 M"),
        (99_950_000, "100 M"),
        (999_499_999, "999 M"),
        (999_500_000, "1.00 G"),
        (4_089_184_256, "4.09 G"),
        (9_994_999_999, "9.99 G"),
        (9_995_000_000, "10.0 G"),
        (1_234_567_890_123_456, "1,235 T"),
    ],
)
def test_of_long_numbers_the_first_digits(n: int, text: str) -> None:
    assert short(n) == text
