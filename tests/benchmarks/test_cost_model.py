"""What a step on several processes is expected to take."""

import pytest
from benchmarks.cost_model import Link, Work

from benchmarks import cost_model

LINK = Link(bytes_per_s=1e8, latency_s=1e-4)
WORK = Work(batch_size=1000, compute_s=2.0, update_s=0.1, window_s=1.0, buckets=(8_000_000, 2_000_000))


def test_one_process_sends_nothing():
    assert cost_model.sum_s(1e9, 1, LINK) == 0 == cost_model.exposed_s(WORK, 1, LINK)
    assert cost_model.step_s(WORK, 1, LINK) == pytest.approx(2.1)
    assert cost_model.speedup(WORK, 1, LINK) == 1


def test_a_sum_over_two_passes_everything_once():
    assert cost_model.sum_s(1e6, 2, LINK) == pytest.approx(1e-4 + 0.01)


def test_large_sums_go_round_a_ring_and_short_ones_double():
    assert cost_model.sum_s(1e8, 8, LINK) == pytest.approx(14 * 1e-4 + 2 * 7 / 8)
    assert cost_model.sum_s(8, 8, LINK) == pytest.approx(3 * (1e-4 + 8e-8))
    assert cost_model.sum_s(8, 5, LINK) == pytest.approx(3 * (1e-4 + 8e-8)), "five need as many rounds as eight"


def test_sums_hide_behind_the_backward_pass_but_for_the_last():
    last = cost_model.sum_s(2_000_000, 2, LINK)
    short = 2 * cost_model.sum_s(64, 2, LINK)
    assert cost_model.exposed_s(WORK, 2, LINK) == pytest.approx(last + short)
    without_window = WORK._replace(window_s=0.0)
    assert cost_model.exposed_s(without_window, 2, LINK) == pytest.approx(
        cost_model.sum_s(8_000_000, 2, LINK) + last + short
    )


def test_a_part_is_at_least_the_largest_one():
    step = cost_model.step_s(WORK._replace(batch_size=10), 4, Link(1e30, 0))
    assert step == pytest.approx(2.0 * 3 / 10 + 0.1)


def test_where_it_stops_to_pay():
    free = Link(1e30, 0.0)
    # 2.1 / (2 / P + 0.1) >= P / 2 up to P = 22: of powers of two, 16
    assert cost_model.pays_up_to(WORK, free) == 16
    assert cost_model.pays_up_to(WORK, Link(1e3, 1.0)) == 1
    assert cost_model.pays_up_to(WORK._replace(update_s=0.0, batch_size=6), free) == 4, "no more than images"


def test_a_link_is_found_from_its_sums():
    sizes = [8, 65_536, 1 << 20, 16 << 20]
    seconds = [cost_model.sum_s(size, 2, LINK) for size in sizes]
    seconds[1] = 1e-4  # it passed in a burst
    found = cost_model.fitted(sizes, seconds)
    assert found.bytes_per_s == pytest.approx(1e8, rel=1e-4) and found.latency_s == pytest.approx(1e-4, rel=1e-2)


def test_short_sums_alone_tell_no_bandwidth():
    with pytest.raises(ValueError, match="no size is at least"):
        cost_model.fitted([8, 1000], [1e-5, 1e-4])
