"""docs/benchmarks.md and its Chinese twin, written from the results: the words are here, the numbers are measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.results import Results
from benchmarks.table import cells, number, peers_of, unit_of
from benchmarks.targets import TARGETS, Target
from benchmarks.verdict import Row, Verdict, judge
from pellucid.files import write_atomically

PACKAGES = {"python": "Python", "numpy": "NumPy", "numba": "Numba", "torch": "PyTorch", "onnxruntime": "ONNX Runtime"}

ENGLISH = {
    "file": "benchmarks.md",
    "intro": """# Benchmarks: beside PyTorch and ONNX Runtime

[中文](benchmarks.zh-CN.md)

*Written by `make bench`; change the words in `benchmarks/pages.py`, the numbers by measuring.*

The ratio is the time of the **best** peer divided by ours: above 1, ours is faster. PyTorch is measured as NCHW, as
channels_last and with torch.compile (on channels_last). All sides get the same inputs and the same number of threads in
one process; what they compute is compared before anything is timed; then they are timed in turn, and a number is the
median of at least 7 repetitions of at least 30 ms each. float32 throughout.

```sh
make bench                                        # everything; writes this page
make bench BENCH="--only conv3x3 --quick"         # a look at some rows
```

"Ours reached" is our rate: for convolutions and networks the operations a second as *direct* convolution would count
them (so Winograd's algorithm, which needs fewer, can reach more than the peak); for the rest the bytes a second that
must be moved at least, every array read or written once. "Of peak" is its share of this machine's own figures below:
the multiply-add peak, or the bandwidth of copying. What fits into a cache can move faster than memory.
""",
    "machine": "## The machine",
    "results": "## Results",
    "chart": "![Ratios, group by group](images/benchmarks.png)",
    "summary": ("", "asked: mean", "asked: each", "aim", "mean", "worst", "rows", ""),
    "columns": ("ours", "ratio", "ours reached", "of peak"),
    "memory": "Peak memory of the whole process, libraries included, MB; the ratio is the smaller of PyTorch's divided "
    "by ours. torch.compile is left out: its compiler's memory would be counted.",
    "notes": "Notes",
    "limits": """## What falls short, and what limits it

`python -m benchmarks.by_kernel tutorial` (or `resnet9 --images 1`) tells where the time goes; on the machine above:

**The tutorial's step** has 2.2 GFLOP, 5.5 ms at the multiply-add peak, and Adam moves 115 MB, 1.15 ms at the 100 GB/s
that both cores get from their caches: 6.6 ms at best, and 9 would be twice as fast as PyTorch. It takes 12.4:

| part | ms | reached |
| --- | ---: | --- |
| six products of the affine layers | 5.5 | 225 GFLOP/s, 56 %; a fifth is laying out 16 MB of weights |
| the convolution, forward and filter gradient | 3.1 | 307 GFLOP/s, 77 % |
| Adam | 1.8 | 63 GB/s; 1.2 ms where it runs alone |
| pooling, transposing, sums over the batch, ReLU | 0.8 | memory |
| Python between the kernels | 1.1 | |

**One image at a time**, Python between the kernels counts: 0.5 ms, for 12 launches. Without it, ResNet-9's 2.9 ms would
be 2.4 (ONNX Runtime's whole: 2.3), the 94 % network's 1.37 would be 0.88 (0.95). The kernels' own rate is 317 GFLOP/s
for ResNet-9, whose 26 MB of weights are read for a single image, and 270 for the other.

**Depthwise and few channels** have rows below 1: depthwise convolution does 18 operations for a number that is read,
and is bound by memory; with RGB images, 3 channels leave most of a register empty unless rows of taps are put together.
""",
    "peak": "multiply-add peak",
    "bandwidth": "memory bandwidth",
    "directions": ("read", "write", "copy (both ways)"),
    "threads": "threads",
    "cores": "cores",
    "vectors": "bit vectors",
}

CHINESE = {
    "file": "benchmarks.zh-CN.md",
    "intro": """# 基准测试：与 PyTorch 和 ONNX Runtime 并排

[English](benchmarks.md)

*本页由 `make bench` 写成；文字在 `benchmarks/pages.py` 里改，数字靠测量改。*

比值是**最快**的对手所用的时间除以我们的时间：大于 1 表示我们更快。
PyTorch 测三种方式：NCHW、channels_last、torch.compile（基于 channels_last）。
各方在同一个进程里用同样的输入和同样的线程数；先比较计算结果，然后才计时；
计时轮流进行，每个数字是至少 7 次、每次至少 30 毫秒的中位数。自始至终 float32。

```sh
make bench                                        # 全部；写出本页
make bench BENCH="--only conv3x3 --quick"         # 只看几行
```

“我们达到”是我们的速率：卷积和网络按*直接*卷积的运算次数计
（Winograd 算法需要的运算更少，所以可以超过峰值）；其余按至少要搬动的字节计，每个数组读或写一次。
“占峰值”是它占下面这台机器的数字的份额：乘加峰值，或复制的带宽。放得进缓存的数据可以比内存更快。
""",
    "machine": "## 机器",
    "results": "## 结果",
    "chart": "![各组的比值](images/benchmarks.png)",
    "summary": ("", "要求：平均", "要求：每行", "目标", "平均", "最差", "行数", ""),
    "columns": ("我们", "比值", "我们达到", "占峰值"),
    "memory": "整个进程的内存峰值，包括各个库，单位 MB；比值是 PyTorch 较小的一个除以我们的。"
    "不含 torch.compile：否则编译器的内存也会算进来。",
    "notes": "说明",
    "limits": """## 不足之处，以及受什么限制

`python -m benchmarks.by_kernel tutorial`（或 `resnet9 --images 1`）显示时间花在哪里；在上面这台机器上：

**教程网络的一步**有 2.2 GFLOP，按乘加峰值要 5.5 毫秒；Adam 要搬动 115 MB，
按两个核从缓存得到的 100 GB/s 要 1.15 毫秒：最好也要 6.6 毫秒，比 PyTorch 快一倍则是 9 毫秒。实际用 12.4 毫秒：

| 部分 | 毫秒 | 达到 |
| --- | ---: | --- |
| 全连接层的六个矩阵乘积 | 5.5 | 225 GFLOP/s，56 %；其中五分之一用于把 16 MB 权重按寄存器的次序排好 |
| 卷积，前向和滤波器梯度 | 3.1 | 307 GFLOP/s，77 % |
| Adam | 1.8 | 63 GB/s；单独运行时 1.2 毫秒 |
| 池化、转置、按批求和、ReLU | 0.8 | 内存 |
| 核函数之间的 Python | 1.1 | |

**一次一张图像**时，核函数之间的 Python 显得重要：12 次启动共 0.5 毫秒。
没有它，ResNet-9 的 2.9 毫秒会是 2.4（ONNX Runtime 全部 2.3），94 % 网络的 1.37 会是 0.88（0.95）。
核函数本身的速率：ResNet-9 为 317 GFLOP/s，它为一张图像就要读 26 MB 权重；另一个为 270。

**逐通道卷积和通道很少时**有几行低于 1：逐通道卷积每读一个数只做 18 次运算，受内存限制；
RGB 图像只有 3 个通道，除非把一行抽头放在一起，寄存器大半是空的。
""",
    "peak": "乘加峰值",
    "bandwidth": "内存带宽",
    "directions": ("读", "写", "复制（双向）"),
    "threads": "个线程",
    "cores": "个核",
    "vectors": "位向量",
}

CHINESE_WORDS = {
    "forward and backward": "前向和反向",
    "input gradient": "输入梯度",
    "filter gradient": "滤波器梯度",
    "forward": "前向",
    "backward": "反向",
    "softmax loss": "softmax 损失",
    "max pool": "最大池化",
    "batch norm": "批归一化",
    "no padding": "无填充",
    "stride": "步长",
    "depthwise": "逐通道",
    "batch": "批",
    " at ": "，",
    "PASS, aim reached": "达到，目标也达到",
    "PASS": "达到",
    "short of target": "未达到",
    "WRONG RESULT": "结果错误",
    "not measured": "未测",
    " so far": "（未测全）",
    "other programs took": "测量时其他程序占用了",
    "of the processor's time meanwhile: measure again": "的处理器时间：需要重测",
    "above what the process had when the network was ready": "比网络就绪时多用的内存",
    "ours": "我们",
    ", ": "，",
}
"""What rows' names, verdicts and notes are made of; longer expressions first."""


def machine_line(machine: dict[str, Any]) -> str:
    """Machine, peak and bandwidth in one line."""
    read, write, copy = (number(machine[f"{kind}_gb_s"]) for kind in ("read", "write", "copy"))
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"{machine['vector_bits']} bit vectors; peak {machine['peak_gflops']:.0f} GFLOP/s; "
        f"GB/s: read {read}, write {write}, copy {copy}"
    )


def page(results: Results, order: list[tuple[str, str]], words: dict[str, Any]) -> str:
    """One page.

    Parameters
    ----------
    results : results
    order : list of (group, name)
        Of all rows that there are, measured or not.
    words : dict
        ENGLISH or CHINESE.
    """
    chinese = words is CHINESE
    groups = {group: [row for row in results["rows"] if row["group"] == group] for group in TARGETS}
    verdicts = {group: judge(rows, TARGETS[group], sum(g == group for g, _ in order)) for group, rows in groups.items()}
    parts = [words["intro"], words["machine"], "", *_machine(results["machine"], words), "", words["results"], ""]
    parts += [words["chart"], "", *_summary(verdicts, words), ""]
    for group, rows in groups.items():
        if rows:
            parts += [f"### {_title(TARGETS[group], chinese)}", "", *_group(group, rows, results["machine"], words), ""]
    parts.append(words["limits"])
    return "\n".join(parts).rstrip() + "\n"


def _title(target: Target, chinese: bool) -> str:
    return target.chinese if chinese else target.title


def _translated(text: str, words: dict[str, Any]) -> str:
    if words is CHINESE:
        for english, chinese in CHINESE_WORDS.items():
            text = text.replace(english, chinese)
    return text


def _machine(machine: dict[str, Any], words: dict[str, Any]) -> list[str]:
    kinds = zip(words["directions"], ("read", "write", "copy"), strict=True)
    bandwidths = ", ".join(f"{name} {number(machine[f'{kind}_gb_s'])}" for name, kind in kinds)
    lines = [
        f"- {machine['processor']}, {machine['system']}, {machine['cores']} {words['cores']}, "
        f"{machine['threads']} {words['threads']}, {machine['vector_bits']} {words['vectors']}",
        f"- {words['peak']}: {machine['peak_gflops']:.0f} GFLOP/s; {words['bandwidth']}, GB/s: {bandwidths}",
        f"- {', '.join(f'{name} {machine[key]}' for key, name in PACKAGES.items())}; {machine['date']}",
    ]
    return [_translated(line, words) for line in lines]


def _line(values: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(values)} |"


def _head(headings: list[str] | tuple[str, ...], right: int) -> list[str]:
    """Headings, and the line below; all columns but the first `right` are aligned to the right."""
    return [_line(headings), _line(["---"] * right + ["---:"] * (len(headings) - right))]


def _summary(verdicts: dict[str, Verdict], words: dict[str, Any]) -> list[str]:
    lines = _head(words["summary"], 1)
    for group, verdict in verdicts.items():
        target = TARGETS[group]
        mean, worst = ("–" if value is None else f"{value:.2f}" for value in (verdict.mean, verdict.worst))
        asked = [f"{value:g}" for value in (target.mean, target.floor, target.aim)]
        mark = _translated(verdict.mark, words)
        mark = f"**{mark}**" if verdict.passed else mark
        rows = f"{verdict.measured}/{verdict.expected}"
        lines.append(_line([_title(target, words is CHINESE), *asked, mean, worst, rows, mark]))
    return lines


def _group(group: str, rows: list[Row], machine: dict[str, Any], words: dict[str, Any]) -> list[str]:
    peers = peers_of(rows)
    ours, *others = words["columns"]
    columns = 3 if group != "memory" else 1  # megabytes have no rate
    lines = [words["memory"], ""] if group == "memory" else []
    lines += _head([unit_of(rows), ours, *peers, *others[:columns]], 1)
    for row in rows:
        name, *values = cells(row, peers, machine)
        shown = values[: 1 + len(peers) + columns]
        best = peers.index(row["best"]) + 1 if row["ratio"] is not None else None
        shown = [f"*{value}*" if place == best else value for place, value in enumerate(shown)]
        shown[1 + len(peers)] = f"**{shown[1 + len(peers)]}**" if row["ratio"] is not None else ""
        lines.append(_line([_translated(name, words).replace("|", "\\|"), *shown]))
    notes = [f"- {_translated(row['name'] + ': ' + note, words)}" for row in rows for note in row["notes"]]
    return lines + (["", f"{words['notes']}:", "", *notes] if notes else [])


def write(folder: Path, results: Results, order: list[tuple[str, str]]) -> None:
    """Both pages."""
    for words in (ENGLISH, CHINESE):
        write_atomically(folder / str(words["file"]), page(results, order, words).encode())
