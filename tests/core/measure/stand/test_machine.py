import time

import pytest

from edgebench.measure.stand.machine import Reading, compare_readings, take_reading

# user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice
BEFORE = Reading(ticks=(100, 0, 50, 1000, 10, 0, 0, 5, 0, 0), swapped_pages=7, own_s=1.0)


def after(*more, swapped=7, own_s=1.0):
    ticks = tuple(was + more_ for was, more_ in zip(BEFORE.ticks, more, strict=True))
    return Reading(ticks=ticks, swapped_pages=swapped, own_s=own_s)


def test_what_others_used_is_told_from_what_we_used():
    # 100 ticks a second: of 200 ticks 60 were busy, of which our own processes had 40.
    found = compare_readings(BEFORE, after(50, 0, 10, 140, 0, 0, 0, 0, 0, 0, own_s=1.4))
    assert found["busy"] == pytest.approx(0.1)
    assert found["steal"] == 0


def test_stolen_time_is_a_share_of_the_whole():
    found = compare_readings(BEFORE, after(0, 0, 0, 180, 0, 0, 0, 20, 0, 0))
    assert found["steal"] == pytest.approx(0.1)
    assert found["busy"] == 0


def test_guests_are_not_counted_twice():
    found = compare_readings(BEFORE, after(100, 0, 0, 100, 0, 0, 0, 0, 100, 0))
    assert found["busy"] == pytest.approx(0.5)


def test_swapping_is_told_in_bytes():
    assert compare_readings(BEFORE, after(*[1] * 10, swapped=9))["swapped_bytes"] % 2 == 0
    assert compare_readings(BEFORE, after(*[1] * 10, swapped=9))["swapped_bytes"] >= 2 * 4096


def test_what_is_not_readable_is_none():
    blind = Reading(ticks=None, swapped_pages=None, own_s=0.0)
    found = compare_readings(blind, blind)
    assert (found["steal"], found["busy"], found["swapped_bytes"]) == (None, None, None)


def test_no_time_at_all_is_no_division_by_zero():
    assert compare_readings(BEFORE, BEFORE)["busy"] == 0


def test_this_machine_can_be_read():
    before = take_reading()
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    later = take_reading()
    assert later.own_s >= before.own_s + 0.04
    assert sum(later.ticks) >= sum(before.ticks)
    found = compare_readings(before, later)
    assert set(found) == {"steal", "busy", "swapped_bytes", "load", "frequency_hz"}
    assert found["frequency_hz"] is None or found["frequency_hz"] > 1e8


def test_waiting_for_a_disk_is_not_being_busy():
    found = compare_readings(BEFORE, after(50, 0, 0, 50, 100, 0, 0, 0, 0, 0))
    assert found["busy"] == pytest.approx(0.25)
