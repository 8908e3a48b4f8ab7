"""Rates from counters that were seen before."""

from portal.rates import Rates


def test_a_rate_is_known_from_the_second_look_on_and_follows() -> None:
    rates = Rates()
    rates.see("a", 0.0, {"sent": 100})
    assert rates.of("a") == {}
    rates.see("a", 0.4, {"sent": 900})  # too soon to say anything
    assert rates.of("a") == {}
    rates.see("a", 4.0, {"sent": 140})
    assert rates.of("a") == {"sent": 10.0}
    for moment in range(7, 40, 3):
        rates.see("a", float(moment), {"sent": 140})
    assert rates.of("a") == {"sent": 0.0}
    assert rates.of("b") == {}


def test_counters_that_begin_anew_and_old_looks_say_nothing() -> None:
    rates = Rates()
    rates.see("a", 0.0, {"sent": 100})
    rates.see("a", 3.0, {"sent": 5})
    assert rates.of("a") == {}
    rates.see("a", 6.0, {"sent": 35})
    assert rates.of("a") == {"sent": 10.0}
    rates.see("a", 600.0, {"sent": 99})
    assert rates.of("a") == {}
