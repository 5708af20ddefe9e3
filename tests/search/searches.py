"""What the tests of searches share: a small recipe, a space, and a search in this process."""

import contextlib

from pellucid import recipes
from pellucid.data import open_dataset
from pellucid.search.folder import SearchFolder
from pellucid.search.results import Judged
from pellucid.search.space_file import read_space
from pellucid.search.trial import Bench

SMALL = {
    "network.filters": 2,
    "network.filter_size": 3,
    "network.hidden": [10],
    "train.batch_size": 200,
    "data.validation": 300,
}
"""The tutorial's network, so small that a trial takes a few hundredths of a second."""

SPACE = """
"optimizer.learning_rate" = {low = 1e-4, high = 1e-1, log = true}
"optimizer.rule" = ["sgd_momentum", "adam"]
"network.filters" = {low = 2, high = 4, step = 2}
"network.weight_scale" = {low = 1e-3, high = 1e-1, log = true}
"""


def small_recipe(**changes):
    return recipes.load("tutorial").with_changes(SMALL | {key.replace("__", "."): v for key, v in changes.items()})


class Here:
    """A search in this process, in a folder."""

    def __init__(self, path, space=SPACE, recipe=None, sampler="random", pruner="none", seed=231, lost_after_s=600.0):
        from pellucid.search.loop import method_of
        from pellucid.search.study import Study

        path.mkdir(exist_ok=True)
        (path / "space.toml").write_text(space)
        recipe = small_recipe() if recipe is None else recipe
        self.space = read_space(path / "space.toml", recipe)
        self.folder = SearchFolder(path / "search")
        self.folder.join({"seed": seed})
        self.bench = Bench(recipe, open_dataset("digits"), seed)
        self.judged = Judged("digits", self.bench.held_out, seed, 1, True)
        self.method, self.looks = method_of(self.space, sampler, pruner, seed)
        self.study = Study(self.folder, self.space, self.method, lost_after_s)
        self.said = []

    def run(self, total):
        """Trials until there are so many."""
        from pellucid.search.loop import Task, search

        told = lambda name: contextlib.nullcontext()  # noqa: E731
        return search(Task(self.study, self.bench, self.judged, total, self.said.append, told, self.looks))
