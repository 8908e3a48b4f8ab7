"""SMPP times: absolute with zones in quarter hours, relative over the calendar, and receipts' dates."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.wire.smpp.times import format_absolute, format_receipt_date, parse_time

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC).timestamp()
QUARTERS = st.integers(-48, 48)
MOMENTS = st.integers(int(NOW) - 10 * 365 * 86400, int(NOW) + 40 * 365 * 86400)


def moment(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type]


def test_s52_an_empty_time_is_none() -> None:
    assert parse_time("", NOW) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("260102030405000+", moment(2026, 1, 2, 3, 4, 5)),
        ("260102030405000-", moment(2026, 1, 2, 3, 4, 5)),
        ("260102030405604+", moment(2026, 1, 2, 2, 4, 5) + 0.6),
        ("260102030405004-", moment(2026, 1, 2, 4, 4, 5)),
        ("260102030405023+", moment(2026, 1, 1, 21, 19, 5)),
        ("260101000000048-", moment(2026, 1, 1, 12, 0, 0)),
        ("280229235959000+", moment(2028, 2, 29, 23, 59, 59)),
        ("991231235959000+", moment(1999, 12, 31, 23, 59, 59)),
        ("400101000000000+", moment(2040, 1, 1, 0, 0, 0)),
    ],
)
def test_s52_absolute_times_with_quarter_hours(text: str, expected: float) -> None:
    assert parse_time(text, NOW) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("000000000000000R", NOW),
        ("000000000130000R", NOW + 90),
        ("000002000000000R", NOW + 2 * 86400),
        ("000099999999900R", NOW + 99 * 86400 + 99 * 3600 + 99 * 60 + 99.9),
        ("000100000000000R", moment(2026, 2, 28, 12, 0, 0)),
        ("001300000000000R", moment(2027, 2, 28, 12, 0, 0)),
        ("020610233429000R", moment(2028, 8, 11, 11, 34, 29)),
    ],
)
def test_s52_relative_times_count_from_now(text: str, expected: float) -> None:
    assert parse_time(text, NOW) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "x", "2601020304", "260102030405000", "260102030405000++", "260102030405000x", "261302030405000+",
        "260002030405000+", "260230030405000+", "260102240405000+", "260102036005000+", "260102030460000+",
        "260102030405049+", "26010203040500 +", "２60102030405000+", "-60102030405000+", "26010203040500R0", "²60102030405000R",
    ],
)  # fmt: skip
def test_s52_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an SMPP time"):
        parse_time(text, NOW)


def test_years_stay_right_when_this_century_grows_old() -> None:
    later = moment(2061, 6, 1)
    assert parse_time("610701000000000+", later) == moment(2061, 7, 1)
    assert parse_time("380101000000000+", moment(2037, 12, 31)) == moment(2038, 1, 1)


@given(MOMENTS, QUARTERS)
def test_s52_what_is_written_is_read_back(epoch: int, quarters: int) -> None:
    text = format_absolute(epoch, quarters)
    assert len(text) == 16
    assert parse_time(text, NOW) == epoch
    local = datetime.fromtimestamp(epoch, timezone(timedelta(minutes=15 * quarters)))
    assert text[:12] == local.strftime("%y%m%d%H%M%S")


@given(st.text("0123456789R+-", min_size=16, max_size=16), MOMENTS)
def test_any_text_is_a_time_or_a_value_error(text: str, now: int) -> None:
    try:
        assert isinstance(parse_time(text, now), float)
    except ValueError:
        pass


def test_tenths_are_rounded_over_the_second() -> None:
    assert format_absolute(moment(2026, 1, 2, 3, 4, 5) + 0.64) == "260102030405600+"
    assert format_absolute(moment(2026, 1, 2, 3, 4, 5) + 0.97) == "260102030406000+"


@pytest.mark.parametrize("quarters", [-49, 49])
def test_a_zone_beyond_twelve_hours_is_none(quarters: int) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        format_absolute(NOW, quarters)


def test_s36_receipt_dates_are_ten_digits_of_utc() -> None:
    assert format_receipt_date(moment(2026, 1, 2, 3, 4, 59) + 0.9) == "2601020304"
    assert format_receipt_date(moment(2026, 1, 2, 3, 5, 0)) == "2601020305"
