"""``pellucid data``: what is here, what can be fetched, and how large it is."""

from __future__ import annotations

from pellucid.cli.console import progress_bar, say
from pellucid.data import data_folder, describe, fetch_dataset


def data_command(fetch: str | None) -> int:
    """Fetch a data set if asked to; list all of them otherwise."""
    if fetch is not None:
        with progress_bar(f"fetching {fetch}") as progress:
            where = fetch_dataset(fetch, progress=progress)
        say(f"{fetch} is in {where}")
        return 0
    say(f"{'name':14} {'images':>7} {'classes':>7}  {'size':9} where")
    for row in describe():
        C, H, W = row.image_shape
        size = f"{H}x{W}x{C}"
        where = row.where or f"not here; pellucid data --fetch {row.name} ({row.bytes_to_fetch / 1e6:.0f} MB)"
        say(f"{row.name:14} {row.images:7,} {row.classes:7}  {size:9} {where}")
    say(f"\ndata folder: {data_folder()} (set PELLUCID_DATA to choose another)")
    say("also: a folder or zip of images a class, CIFAR-10's binary archive or folder, a folder of IDX files")
    return 0
