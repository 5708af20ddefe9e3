"""The parts of the benchmarks that judge and show: no PyTorch, nothing timed."""

import json
import math
import re

import numpy as np
import pytest
from benchmarks.__main__ import all_cases, selected
from benchmarks.compare import as_arrays, largest_error, norm_error
from benchmarks.networks import AIRBENCH94, RESNET9, folded, forward_flops, parameters, places
from benchmarks.targets import TARGETS, Target
from benchmarks.verdict import best_peer, geometric_mean, judge

from benchmarks import by_kernel, chart, others, pages, results, steps, table, timing

MACHINE = {
    "processor": "test", "cores": 2, "threads": 2, "vector_bits": 512, "system": "test", "python": "3", "numpy": "2",
    "numba": "0", "torch": "2", "onnxruntime": "1", "date": "2026-01-01",
    "peak_gflops": 400.0, "read_gb_s": 30.0, "write_gb_s": 20.0, "copy_gb_s": 25.0,
}  # fmt: skip
ORDER = [(case.group, case.name) for case in all_cases()]


def row(group, name, ours=1.0, **peers):
    peers = peers or {"NCHW": 2.0}
    best = best_peer(peers)
    return {
        "group": group, "name": name, "unit": "ms", "status": "measured", "ours": ours, "peers": peers, "best": best,
        "ratio": peers[best] / ours, "rate": 200.0, "rate_unit": "GFLOP/s", "notes": [],
    }  # fmt: skip


def broken(status):
    return {"group": "updates", "name": "Adam", "unit": "ms", "status": status, "ratio": None, "notes": ["why"]}


# Comparing


def test_arrays_are_found_in_tuples_and_dictionaries_by_name():
    found = as_arrays((1.0, {"b": np.ones(2), "a": np.zeros(3)}))
    assert [array.shape for array in found] == [(), (3,), (2,)]


def test_errors_are_shares_of_the_largest_value_and_of_the_length():
    want = np.array([3.0, -4.0])
    assert largest_error(want + [0, 0.4], want) == pytest.approx(0.1)
    assert norm_error(want + [0, 0.4], want) == pytest.approx(0.08)
    assert largest_error([want, np.array([1.0, 0.5])], [want, np.array([1.0, 1.0])]) == 0.5  # the worst array counts
    assert largest_error(np.array([np.nan, 1.0]), np.ones(2)) == math.inf
    with pytest.raises(ValueError, match="shapes"):
        largest_error(np.ones(2), np.ones(3))


def test_a_kink_in_one_draw_passes_and_an_error_in_every_draw_does_not():
    right = [np.full(4, 10.0) for _ in range(3)]
    at_a_kink = [right[0] * 1.001, right[1] * 1.05, right[2]]
    wrong = [right[0] * 1.001, right[1] * 1.05, right[2] * 1.05]
    assert steps.gradient_error(at_a_kink, right) < steps.GRADIENT_TOLERANCE < steps.gradient_error(wrong, right)
    assert steps.gradient_error([right[0] * 1.05], right) > steps.GRADIENT_TOLERANCE  # a side without draws


# Timing


def test_sides_are_timed_in_turn_and_long_enough():
    now, order = [0.0], []

    def side(name, seconds):
        def run():
            order.append(name)
            now[0] += seconds

        return run

    settings = timing.Settings(repetitions=3, least_s=0.025, pause_s=0.5)
    sides = {"ours": side("ours", 0.01), "theirs": side("theirs", 0.1)}
    times = timing.interleaved(sides, settings, clock=lambda: now[0], sleep=lambda s: order.append("pause"))
    assert times["ours"] == pytest.approx([0.01] * 3) and times["theirs"] == pytest.approx([0.1] * 3)
    ours = ["pause"] + ["ours"] * 4  # one to warm up, and three make 25 ms
    theirs = ["pause"] + ["theirs"]
    assert order[6:] == [*ours, *theirs, *theirs, *ours, *ours, *theirs]  # who comes first changes


def test_the_share_of_others_is_what_neither_idles_nor_is_ours():
    before = "cpu  100 0 0 1000 0 0 0 0 50 0\ncpu0 1 1 1"
    after = "cpu  160 0 10 1120 5 0 0 5 90 0\ncpu0 1 1 1"  # 75 busy, 125 not
    hertz = others.os.sysconf("SC_CLK_TCK")
    assert others.share_of_others(before, after, own_s=55 / hertz) == pytest.approx(20 / 200)
    assert others.share_of_others(before, after, own_s=80 / hertz) == 0
    assert others.share_of_others(before, before, own_s=0) == 0


# Judging


def test_geometric_mean():
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1)
    assert geometric_mean([1, 8]) == pytest.approx(8**0.5)
    with pytest.raises(ValueError, match="at least one"):
        geometric_mean([])


@pytest.mark.parametrize(
    ("ratios", "mark"),
    [
        ([2.0, 2.0], "PASS"),
        ([3.0, 3.1], "PASS, aim reached"),
        ([1.9, 2.0], "short of target"),  # the mean
        ([1.1, 9.0], "short of target"),  # the worst
        ([2.5], "PASS so far"),
        ([], "not measured"),
    ],
)
def test_verdicts(ratios, mark):
    rows = [row("conv3x3", str(i), ours=1.0, NCHW=ratio) for i, ratio in enumerate(ratios)]
    verdict = judge(rows, Target("", "", mean=2.0, floor=1.2, aim=3.0), expected=2)
    assert verdict.mark == mark
    assert verdict.passed == (mark in ("PASS", "PASS, aim reached"))


def test_a_wrong_result_is_no_pass_and_a_skipped_row_is_missing():
    good = row("updates", "SGD-Nesterov", NCHW=9.0)
    assert judge([good, broken("wrong")], TARGETS["updates"], 2).mark == "WRONG RESULT so far"
    assert judge([good, broken("skipped")], TARGETS["updates"], 2).mark == "PASS, aim reached so far"
    assert judge([broken("wrong")], TARGETS["updates"], 1).mark == "WRONG RESULT"


def test_the_ratio_is_that_of_the_best_peer():
    assert best_peer({"NCHW": 3.0, "channels_last": 2.0, "compile": 2.5}) == "channels_last"
    assert row("updates", "Adam", ours=4.0, NCHW=3.0, compile=2.0)["ratio"] == 0.5


# Where the time goes


@pytest.mark.slow
def test_the_time_of_a_step_is_told_by_kernel():
    lines = by_kernel.report("airbench94", images=1, runs=2)
    assert lines[0].startswith("inference of 1 by airbench94: ")
    assert any(line.split()[0] == "correlate" and line.endswith("calls") for line in lines)
    assert lines[-1].split()[:2] == ["between", "them"]
    before = by_kernel.jit.Kernel.__call__
    with pytest.raises(ZeroDivisionError):
        by_kernel.measured(lambda: 1 / 0)
    assert by_kernel.jit.Kernel.__call__ is before


# Rows


def test_every_target_has_its_rows():
    count = {group: sum(case.group == group for case in all_cases()) for group in TARGETS}
    assert count == {
        "conv3x3": 18, "conv-other": 21, "layers": 6, "updates": 2, "step-tutorial": 1, "step-resnet9": 1,
        "step-airbench94": 1, "inference": 4, "memory": 3,
    }  # fmt: skip
    assert len(set(ORDER)) == len(ORDER)


def test_rows_are_chosen_by_words():
    cases = all_cases()
    assert [case.full_name for case in selected(cases, ["conv3x3 64,64,32 forward"])] == [
        "conv3x3 64,64,32,32->64, forward"
    ]
    assert len(selected(cases, ["updates", "memory"])) == 5
    assert selected(cases, []) == cases
    assert selected(cases, ["nonsense"]) == []


def test_work_is_counted_as_direct_convolution():
    case = next(
        case for case in all_cases() if case.full_name == "conv-other 11x11 stride 4 RGB->64 at 224x224, forward"
    )
    assert case.flops == 2 * 16 * 55 * 55 * 64 * 3 * 11 * 11
    depthwise = next(case for case in all_cases() if "depthwise" in case.name)
    assert depthwise.flops == 2 * 64 * 16 * 16 * 128 * 9
    assert forward_flops(AIRBENCH94) == pytest.approx(2 * 118.2e6, rel=1e-3)  # its published multiply-adds, twice
    assert 2.9 < forward_flops(RESNET9, training=True) / forward_flops(RESNET9) < 3


# Networks


def test_sizes_through_the_networks():
    assert [(p.name, p.channels, p.rows) for p in places(AIRBENCH94)] == [
        ("0", 3, 32), ("1", 24, 31), ("2", 64, 15), ("3", 64, 15), ("4", 256, 7), ("5", 256, 7), ("6", 256, 3),
    ]  # fmt: skip
    assert [p.rows for p in places(RESNET9)] == [32, 32, 16, 16, 16, 8, 4, 4]
    assert sum(value.size for value in parameters(AIRBENCH94).values()) == pytest.approx(1.97e6, rel=0.01)
    assert parameters(AIRBENCH94)["0_w"].shape == (24, 3, 2, 2)
    assert "0_gamma" in parameters(RESNET9) and "1_gamma" not in parameters(AIRBENCH94)


@pytest.mark.parametrize("network", [RESNET9, AIRBENCH94], ids=lambda network: network.name)
def test_folding_is_batch_norm_after_the_filter(network):
    params, weights = parameters(network), folded(network, parameters(network), seed=5)
    rng = np.random.default_rng(5)
    if network is RESNET9:  # the first sandwich has a norm, too, and draws before the second
        rng.standard_normal(64), rng.uniform(0.5, 1.5, 64)
    mean, var = 0.1 * rng.standard_normal(len(params["1_b"])), rng.uniform(0.5, 1.5, len(params["1_b"]))
    x = np.random.default_rng(1).standard_normal(params["1_w"].shape[1:])
    normed = (np.sum(params["1_w"] * x, axis=(1, 2, 3)) - mean) / np.sqrt(var + network.eps)
    want = params.get("1_gamma", 1.0) * normed + params["1_b"]
    assert np.sum(weights["1_w"] * x, axis=(1, 2, 3)) + weights["1_b"] == pytest.approx(want, abs=1e-4)
    assert all(value.dtype == np.float32 for value in weights.values())


# Results


def test_new_rows_take_the_place_of_old_ones_and_gone_rows_leave():
    order = [("updates", "Adam"), ("updates", "SGD-Nesterov")]
    old = {"machine": MACHINE, "rows": [row("updates", "SGD-Nesterov"), row("updates", "gone"), row("updates", "Adam")]}
    slower = MACHINE | {"peak_gflops": 100.0, "date": "2026-02-02"}
    merged = results.merged(old, {"machine": slower, "rows": [row("updates", "Adam", ours=5.0)]}, order)
    assert [(r["name"], r["ours"]) for r in merged["rows"]] == [("Adam", 5.0), ("SGD-Nesterov", 1.0)]
    assert merged["machine"]["peak_gflops"] == 400 and merged["machine"]["date"] == "2026-02-02"
    assert results.merged(None, old, order)["rows"][0]["name"] == "Adam"


@pytest.mark.parametrize("key", results.SAME_MACHINE)
def test_rows_of_two_machines_are_not_mixed(key):
    old = {"machine": MACHINE | {key: "other"}, "rows": []}
    with pytest.raises(ValueError, match=f"{key} was 'other'"):
        results.merged(old, {"machine": MACHINE, "rows": []}, [])


def test_results_come_back_from_disk(tmp_path):
    path = tmp_path / "benchmarks.json"
    assert results.read(path) is None
    results.write(
        path, {"machine": MACHINE, "rows": [broken("wrong") | {"errors": {"ours": math.inf, "NCHW": 1.23456e-7}}]}
    )
    assert results.read(path)["rows"][0]["errors"] == {"ours": None, "NCHW": 1.235e-7}
    assert json.loads(path.read_text(encoding="utf-8"))["machine"] == MACHINE


# Showing


@pytest.fixture
def measured():
    rows = [
        row("conv3x3", "64,256,8,8->256, filter gradient", ours=5.5, NCHW=15.5, channels_last=13.0),
        row("conv3x3", "64,256,8,8->256, forward", ours=5.0, NCHW=15.0),
        row("updates", "SGD-Nesterov", ours=8.0, fused=6.0) | {"rate_unit": "GB/s", "rate": 5.0},
        broken("wrong"),
        row("memory", "tutorial", ours=200.0, NCHW=400.0) | {"unit": "MB"},
    ]
    del rows[-1]["rate"], rows[-1]["rate_unit"]
    return {"machine": MACHINE, "rows": rows}


def test_the_page_says_what_was_measured(measured):
    page = pages.page(measured, ORDER, pages.ENGLISH)
    assert "| 64,256,8,8->256, filter gradient | 5.50 | 15.5 | *13.0* | **2.36** | 200 GFLOP/s | 50% |" in page
    assert "| 64,256,8,8->256, forward | 5.00 | *15.0* | – | **3.00** | 200 GFLOP/s | 50% |" in page
    assert "| SGD-Nesterov | 8.00 | *6.00* | **0.75** | 5.00 GB/s | 20% |" in page
    assert "| tutorial | 200 | *400* | **2.00** |\n" in page
    assert "| Adam | wrong |" in page and "- Adam: why" in page
    assert "| 3x3 convolutions, stride 1 | 2 | 1.2 | 3 | 2.66 | 2.36 | 2/18 | PASS so far |" in page


def test_both_languages_show_the_same_numbers(measured):
    english, chinese = (pages.page(measured, ORDER, words) for words in (pages.ENGLISH, pages.CHINESE))
    results_only = [page[page.index("|  |") :] for page in (english, chinese)]
    numbers = [re.findall(r"\d+\.\d+|\d+%|\d+/\d+", text) for text in results_only]
    assert numbers[0] == numbers[1]
    assert "滤波器梯度" in chinese and "gradient" not in chinese
    assert pages.ENGLISH.keys() == pages.CHINESE.keys()


def test_every_name_of_a_row_is_translated_into_chinese():
    english_words = (
        "forward",
        "backward",
        "gradient",
        "stride",
        "padding",
        "batch",
        "norm",
        " pool",
        "depthwise",
        "loss",
    )
    for _, name in ORDER:
        translated = pages._translated(name, pages.CHINESE)
        assert not [word for word in english_words if word in translated], translated


def test_every_table_row_has_as_many_cells_as_its_head(measured):
    for block in re.findall(r"(?:^\|.*\|\n)+", pages.page(measured, ORDER, pages.ENGLISH), flags=re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_the_terminal_table_and_the_chart_can_be_drawn(measured):
    rows = [r for r in measured["rows"] if r["group"] == "updates"]
    shown = table.group_table("updates", rows, MACHINE, judge(rows, TARGETS["updates"], 2))
    assert shown.row_count == 2 and "WRONG RESULT" in shown.caption
    panels = chart.draw(measured).axes
    assert len(panels) == 3
    assert [text.get_text() for text in panels[0].texts] == ["2.36", "3.00"]
