"""The tables of docs/scaling.md, from what `benchmarks.scaling` measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks import cost_model
from benchmarks.cost_model import Link
from benchmarks.scaling import fitted_link, work_of


def printed(results: dict[str, Any], links: dict[str, Link], counts: Sequence[int]) -> str:
    """All of them, one after the other."""
    parts = [f"{results['machine']['processor']}, {results['machine']['cores']} cores, {results['machine']['date']}"]
    parts += [_threads(results["threads"]), _links(results["links"]), _checked(results)]
    parts += [_networks(results["networks"])]
    parts += [_predicted(results["networks"], name, link, counts) for name, link in links.items()]
    return "\n\n".join([*parts, _until(results["networks"], links)])


def _threads(measured: dict[str, Any]) -> str:
    rows = []
    for network, found in measured.items():
        one, two = (value for key, value in found.items() if "process" in key)
        waited = f"{1e3 * two['waited_s']:.1f} ms, {100 * two['waited_s'] / two['step_s']:.1f} %"
        rates = (f"{found['ratio']:.2f}", f"{min(found['ratios']):.2f} to {max(found['ratios']):.2f}")
        rows.append((network, f"{one['images_per_s']:,.0f}", f"{two['images_per_s']:,.0f}", *rates, waited))
    return _table(("network", "1 x 2 threads", "2 x 1 thread", "ratio", "over the rounds", "waited a step"), rows)


def _links(measured: dict[str, Any]) -> str:
    rows = []
    for name, found in measured.items():
        link, sums = fitted_link(found), found["sums"]
        times = [f"{1e3 * s:.2f}" for s in sums["seconds"]]
        rows.append((name, *times, f"{link.bytes_per_s / 1e6:,.0f} MB/s", f"{1e6 * link.latency_s:.0f} us"))
    sizes = [_size(size) for size in next(iter(measured.values()))["sums"]["sizes_bytes"]]
    return _table(("link", *(f"{size}, ms" for size in sizes), "fitted", "latency"), rows)


def _checked(results: dict[str, Any]) -> str:
    rows = []
    for name, found in results["links"].items():
        link = fitted_link(found)
        for network in (key for key in found if key != "sums"):
            work, measured = work_of(results["networks"][network]), found[network]
            expected, exposed = cost_model.step_s(work, 2, link), cost_model.exposed_s(work, 2, link)
            rows.append(
                (
                    name, network, f"{1e3 * measured['step_s']:,.0f}", f"{1e3 * expected:,.0f}",
                    f"{1e3 * measured['waited_s']:,.1f}", f"{1e3 * exposed:,.1f}",
                )
            )  # fmt: skip
    return _table(("link", "network", "step, ms", "predicted", "waited, ms", "predicted"), rows)


def _networks(measured: dict[str, Any]) -> str:
    rows = []
    for network, found in measured.items():
        work = work_of(found)
        size = f"{found['parameters'] * 4 / 1e6:.1f} MB in {len(work.buckets)}"
        times = (f"{1e3 * seconds:,.1f}" for seconds in (work.compute_s, work.window_s, work.update_s))
        rows.append((network, f"{work.batch_size:,}", size, *times))
    return _table(("network", "batch", "gradients", "compute, ms", "of it with sums under way", "update, ms"), rows)


def _predicted(measured: dict[str, Any], name: str, link: Link, counts: Sequence[int]) -> str:
    rows = []
    for network, found in measured.items():
        work = work_of(found)
        cells = []
        for count in counts:
            faster = cost_model.speedup(work, count, link)
            cells.append("" if count > work.batch_size else f"{faster:.1f} ({100 * faster / count:.0f} %)")
        rows.append((network, *cells))
    return f"{name}, {1e6 * link.latency_s:.0f} us:\n\n" + _table((name, *map(str, counts)), rows)


def _until(measured: dict[str, Any], links: dict[str, Link]) -> str:
    rows = [
        (network, *(str(cost_model.pays_up_to(work_of(found), link)) for link in links.values()))
        for network, found in measured.items()
    ]
    return _table(("network", *links), rows)


def _size(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB" if size >= 1 << 10 else f"{size} B"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
