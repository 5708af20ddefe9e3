"""The file that says what is varied: a bad entry is one clear error; a key is varied where the recipe has it."""

import pytest

from pellucid import recipes
from pellucid.search.space import MOST_COMBINATIONS
from pellucid.search.space_file import read_space


class Ends:
    """A stand-in for Optuna's trial: always the first or the last that it may choose."""

    def __init__(self, last, **given):
        self.last, self.given, self.asked = last, given, {}

    def _answer(self, name, first, last, **how):
        self.asked[name] = how
        return self.given.get(name, last if self.last else first)

    def suggest_float(self, name, low, high, *, step, log):
        return self._answer(name, low, high, kind="float", step=step, log=log)

    def suggest_int(self, name, low, high, *, step, log):
        return self._answer(name, low, high, kind="int", step=step, log=log)

    def suggest_categorical(self, name, choices):
        return self._answer(name, choices[0], choices[-1], kind="choice")


def space_of(tmp_path, text, recipe="tutorial", fixed=()):
    (tmp_path / "space.toml").write_text(text, encoding="utf-8")
    return read_space(tmp_path / "space.toml", recipes.load(recipe), fixed)


BAD = {
    "nothing in it": ("", "it is empty; write what to vary"),
    "no TOML": ("a = ", "it is not TOML"),
    "an unknown key": ('"optimizer.learning_rat" = {low = 1, high = 2}', "did you mean 'learning_rate'?"),
    "an unknown table": ('"optimiser.learning_rate" = {low = 1, high = 2}', "did you mean 'optimizer'?"),
    "a key of another rule": ('"optimizer.momentum" = {low = 0.5, high = 0.9}', "has the unknown key 'momentum'"),
    "a key of another network": ('"network.depth" = [11, 13]', "has the unknown key 'depth'"),
    "no key": ('"optimizer..rule" = ["sgd", "adam"]', "is no key"),
    "no range": ('"optimizer.learning_rate" = 0.1', "write a range"),
    "a word": ('"optimizer.rule" = "adam"', "set with --set optimizer.rule='adam'"),
    "no high": ('"optimizer.learning_rate" = {low = 0.1}', "lacks the key 'high'"),
    "a misspelt key of a range": ('"optimizer.learning_rate" = {low = 0.1, hihg = 1}', "did you mean 'high'?"),
    "the wrong way round": ('"optimizer.learning_rate" = {low = 1, high = 0.1}', "low must be below high"),
    "a point": ('"optimizer.learning_rate" = {low = 1, high = 1}', "low must be below high"),
    "words for numbers": ('"optimizer.learning_rate" = {low = "a", high = 1}', "optimizer.learning_rate.low is 'a'"),
    "infinity": ('"optimizer.learning_rate" = {low = 1, high = inf}', "optimizer.learning_rate.high is inf"),
    "not a number": ('"optimizer.learning_rate" = {low = nan, high = 1}', "optimizer.learning_rate.low is nan"),
    "log from 0": ('"loss.reg" = {low = 0, high = 1, log = true}', "with log = true it must be above 0"),
    "log of a word": ('"loss.reg" = {low = 0.1, high = 1, log = "yes"}', "loss.reg.log is 'yes'; it must be True or"),
    "log and step": ('"loss.reg" = {low = 0.1, high = 1, log = true, step = 0.1}', "leave one of them out"),
    "a step of nothing": ('"loss.reg" = {low = 0, high = 1, step = 0}', "loss.reg.step is 0"),
    "a step too large": ('"loss.reg" = {low = 0, high = 1, step = 2}', "at most high - low"),
    "below what the recipe takes": ('"optimizer.learning_rate" = {low = -1, high = 1}', "must be above 0"),
    "above what the recipe takes": ('"optimizer.beta1" = {low = 0.5, high = 1.5}', "beta1"),
    "fractions of a filter": ('"network.filters" = {low = 1.5, high = 3}', "network.filters is 1.5, a float"),
    "one choice": ('"optimizer.rule" = ["sgd"]', "has 1 choices; give at least two"),
    "no choice": ('"optimizer.rule" = []', "has 0 choices"),
    "a choice twice": ('"optimizer.rule" = ["sgd", "adam", "sgd"]', "has the choice sgd twice"),
    "a choice that is none": ('"optimizer.rule" = ["sgd", "adm"]', "did you mean 'adam'?"),
    "a choice of another kind": ('"network.filters" = [16, "many"]', "network.filters is 'many'"),
    "a date": ('"train.epochs" = [2026-01-01, 2026-01-02]', "no recipe has such a value"),
    "twice": ('"train.epochs" = [1, 2]\n[train]\nepochs = [2, 3]', "train.epochs is there twice"),
    "what is held out": ('"data.validation" = [100, 200]', "cannot be varied: all trials must see the same images"),
    "the size of images": ('"data.image_size" = [[8, 8], [16, 16]]', "cannot be varied"),
    "all of data": ("data = [{}, {}]", "cannot be varied"),
    "how it is tested": ('"test.flip" = [true, false]', "a search never looks at them"),
    "a remark": ('about = ["a", "b"]', "it is a remark"),
    "the model file": ('"network.path" = ["a", "b"]', "make a search for each file"),
    "a whole table": ("[optimizer]\nrule = 3", "optimizer.rule is 3; write a range"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_bad_entry_is_one_clear_error(tmp_path, text, message):
    with pytest.raises((ValueError, TypeError)) as error:
        space_of(tmp_path, text)
    assert message in str(error.value)
    assert str(error.value).startswith(f"search: {tmp_path / 'space.toml'}: ")
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        read_space(tmp_path / "nowhere.toml", recipes.load("tutorial"))
    with pytest.raises(ValueError, match="is not a regular file"):
        read_space(tmp_path, recipes.load("tutorial"))
    (tmp_path / "latin.toml").write_bytes('"train.epochs" = [1, 2] # fünf'.encode("latin-1"))
    with pytest.raises(ValueError, match="not TOML"):
        read_space(tmp_path / "latin.toml", recipes.load("tutorial"))
    (tmp_path / "large.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ValueError, match="more than 1,000,000 bytes"):
        read_space(tmp_path / "large.toml", recipes.load("tutorial"))
    (tmp_path / "dots.toml").write_text(".".join(["a"] * 200) + " = [1, 2]")
    with pytest.raises(ValueError, match="dots"):
        read_space(tmp_path / "dots.toml", recipes.load("tutorial"))


def test_what_the_command_line_sets_is_not_varied(tmp_path):
    with pytest.raises(ValueError, match=r"train.epochs is varied, and train.epochs is set on the command line"):
        space_of(tmp_path, '"train.epochs" = [1, 2]', fixed=["train.epochs"])
    with pytest.raises(ValueError, match="leave one of them out"):
        space_of(tmp_path, '"average.decay" = [0.9, 0.99]', fixed=["average"])


def test_quoted_keys_and_tables_mean_the_same(tmp_path):
    quoted = space_of(tmp_path, '"optimizer.learning_rate" = {low = 0.1, high = 1}\n"train.epochs" = [1, 2]')
    dotted = space_of(tmp_path, "optimizer.learning_rate = {low = 0.1, high = 1}\ntrain.epochs = [1, 2]")
    tables = space_of(tmp_path, "[train]\nepochs = [1, 2]\n[optimizer.learning_rate]\nlow = 0.1\nhigh = 1\n")
    assert quoted.described() == dotted.described() == tables.described()


def test_kinds_are_those_of_the_recipes_keys(tmp_path):
    space = space_of(
        tmp_path,
        """
        "network.filters" = {low = 4, high = 9, step = 2}
        "network.hidden" = {low = 10, high = 500, log = true}
        "optimizer.learning_rate" = {low = 1, high = 2}
        "loss.reg" = {low = 0, high = 1, step = 0.1}
        "train.keep" = ["best", "last"]
        """,
    )
    trial = Ends(last=True)
    values = space.values(space.suggested(trial))
    assert values == {
        "network.filters": 8,  # what the step reaches
        "network.hidden": [500],  # the recipe has a list of one there
        "optimizer.learning_rate": 2.0,  # whole numbers in the file, but the key takes any
        "loss.reg": 1.0,
        "train.keep": "last",
    }
    assert trial.asked["network.filters"] == {"kind": "int", "step": 2, "log": False}
    assert trial.asked["network.hidden"] == {"kind": "int", "step": 1, "log": True}
    assert trial.asked["optimizer.learning_rate"]["kind"] == "float"
    assert space.recipe_of(trial.given | {"network.filters": 6})["network"]["filters"] == 6


def test_a_key_is_varied_where_the_recipe_has_it(tmp_path):
    space = space_of(
        tmp_path,
        """
        "optimizer.rule" = ["sgd", "sgd_momentum", "adam"]
        "optimizer.momentum" = {low = 0.5, high = 0.95}
        "optimizer.beta1" = {low = 0.8, high = 0.95}
        "loss.reg" = {low = 0, high = 0.1}
        """,
    )
    keys = {
        rule: set(space.suggested(Ends(False, **{"optimizer.rule": rule}))) for rule in ("sgd", "sgd_momentum", "adam")
    }
    assert keys == {
        "sgd": {"optimizer.rule", "loss.reg"},
        "sgd_momentum": {"optimizer.rule", "loss.reg", "optimizer.momentum"},
        "adam": {"optimizer.rule", "loss.reg", "optimizer.beta1"},
    }
    for rule in keys:
        space.recipe_of(space.suggested(Ends(True, **{"optimizer.rule": rule})))


def test_networks_with_keys_of_their_own(tmp_path):
    space = space_of(
        tmp_path,
        """
        "network.name" = ["three-layer", "vgg", "airbench"]
        "network.filters" = [8, 16]
        "network.depth" = [11, 13]
        "network.widths" = [[32, 64, 64, 64, 64], [16, 32, 32]]
        """,
    )
    vgg = space.active[("vgg",)]
    assert set(vgg) == {"network.depth", "network.widths"}
    assert set(space.active[("airbench",)]) == {"network.widths"}
    assert set(space.active[("three-layer",)]) == {"network.filters"}
    assert space.values({"network.widths": "[16, 32, 32]"}) == {"network.widths": [16, 32, 32]}


def test_tables_as_choices(tmp_path):
    space = space_of(tmp_path, "average = [false, {decay = 0.99}]")
    chosen = space.recipe_of(space.suggested(Ends(last=True)))
    assert chosen["average"]["decay"] == 0.99
    assert space.own_params() == {"average": "false"}


def test_the_recipe_itself_as_a_trial(tmp_path):
    text = (
        '"optimizer.learning_rate" = {low = 1e-4, high = 1e-2, log = true}\n"network.hidden" = {low = 100, high = 500}'
    )
    space = space_of(tmp_path, text)
    assert space.own_params() == {"optimizer.learning_rate": 1e-3, "network.hidden": 500}
    own = space.recipe_of(space.own_params())
    assert own.resolved() == recipes.load("tutorial").resolved()
    assert space_of(tmp_path, '"optimizer.learning_rate" = {low = 1e-2, high = 1}').own_params() is None
    assert space_of(tmp_path, '"network.filters" = {low = 3, high = 63, step = 10}').own_params() is None
    assert space_of(tmp_path, '"optimizer.rule" = ["sgd", "muon"]').own_params() is None
    assert space_of(tmp_path, '"loss.reg" = {low = 0.0, high = 1.0, step = 0.001}').own_params() == {"loss.reg": 0.001}


def test_the_grid(tmp_path):
    space = space_of(
        tmp_path,
        """
        "optimizer.rule" = ["sgd", "adam"]
        "optimizer.beta1" = [0.8, 0.9]
        "loss.reg" = {low = 0.1, high = 0.3, step = 0.1}
        "network.filters" = {low = 1, high = 2}
        """,
    )
    points = space.points()
    assert len(points) == 3 * 2 + 2 * 3 * 2
    assert {point["loss.reg"] for point in points} == {0.1, 0.2, 0.3}  # and not 0.30000000000000004
    assert len({tuple(sorted(point.items(), key=str)) for point in points}) == len(points)
    with pytest.raises(ValueError, match=r"a grid needs a step for optimizer\.learning_rate"):
        space_of(tmp_path, '"optimizer.learning_rate" = {low = 0.1, high = 1}').points()
    with pytest.raises(ValueError, match=r"its grid has 1,000,000 points, more than 100,000"):
        space_of(
            tmp_path, '"network.filters" = {low = 1, high = 1000}\n"train.epochs" = {low = 1, high = 1000}'
        ).points()


def test_more_combinations_than_can_be_tried(tmp_path):
    rules = '["sgd", "sgd_momentum", "nesterov", "rmsprop", "adam", "adamw", "muon"]'
    names = '["three-layer", "two-layer", "tutorial", "vgg", "resnet9", "resnet20", "airbench"]'
    groups = "".join(f'"optimizer.groups.g{i}.rule" = {rules}\n' for i in range(2))
    with pytest.raises(ValueError, match=rf"more than {MOST_COMBINATIONS}"):
        space_of(tmp_path, f'"network.name" = {names}\n"optimizer.rule" = {rules}\n{groups}')


def test_the_ends_of_a_whole_number(tmp_path):
    space = space_of(tmp_path, '"train.epochs" = [4, 2, 3]\n"network.filters" = {low = 2, high = 9}')
    assert space.ends("train.epochs") == (2, 4)
    assert space.ends("network.filters") == (2, 9)
    assert space.ends("train.batch_size") == (50, 50)
