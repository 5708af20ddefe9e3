"""Recipes: what the files say, what is filled in, what changes do, and what is refused and how."""

import dataclasses
import inspect
import json

import pytest

from pellucid import models, recipes
from pellucid.recipes import keys
from pellucid.training import Augmentation, Average, Views, schedules


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_says_what_it_is_and_what_it_costs(name):
    recipe = recipes.load(name)
    assert recipe.about and recipe.cost
    assert "about = " in recipes.text(name)


def test_the_package_has_its_five_recipes():
    assert recipes.names() == ["tutorial", "quick", "94", "96", "finetune"]


@pytest.mark.parametrize("name", recipes.names())
def test_what_is_resolved_reads_back_as_the_same_through_json(name):
    recipe = recipes.load(name)
    again = recipes.from_dict(json.loads(json.dumps(recipe.resolved())))
    assert again.resolved() == recipe.resolved()
    assert again.name == again.resolved()["name"] == name
    assert recipes.from_dict(again.resolved()).resolved() == recipe.resolved()


def test_the_tutorials_recipe_is_the_tutorials_settings():
    recipe = recipes.load("tutorial")
    assert recipe["network"] == {
        "name": "three-layer", "filters": 32, "filter_size": 7, "hidden": [500], "weight_scale": 1e-3
    }  # fmt: skip
    assert recipe["optimizer"]["rule"] == "adam" and recipe["optimizer"]["learning_rate"] == 1e-3
    assert recipe["train"] == {"epochs": 1, "batch_size": 50, "lr_decay": 1.0, "keep": "best", "batch_norm": "own"}
    assert recipe["loss"] == {"label_smoothing": 0.0, "reg": 0.001}
    assert recipe["data"]["scale"] == "deviation" and recipe["data"]["validation"] == "tenth"
    assert recipe["schedule"] == {"name": "constant"}
    assert recipe["average"] is False


def test_an_empty_recipe_is_the_tutorials_but_for_the_penalty():
    empty, tutorial = recipes.from_text("x", "").resolved(), recipes.load("tutorial").resolved()
    assert empty["loss"]["reg"] == 0
    for resolved in (empty, tutorial):
        del resolved["name"], resolved["about"], resolved["cost"], resolved["loss"]["reg"]
    assert empty == tutorial


def defaults(function, but=()):
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty and name not in but
    }


def as_lists(values):
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


@pytest.mark.parametrize(
    ("table", "function", "but"),
    [
        (keys.SCHEDULES["step"], schedules.step, ()),
        (keys.SCHEDULES["cosine"], schedules.cosine, ()),
        (keys.SCHEDULES["triangle"], schedules.triangle, ()),
        (keys.AUGMENT, Augmentation, ("seed",)),
        (keys.AVERAGE, Average, ()),
        (keys.NETWORKS["vgg"], models.vgg, ("num_classes",)),
        (keys.NETWORKS["resnet9"], models.resnet9, ("num_classes",)),
        (keys.NETWORKS["resnet20"], models.resnet20, ("num_classes",)),
    ],
)
def test_defaults_are_those_of_what_a_table_describes(table, function, but):
    assert {key: entry.default for key, entry in table.items()} == as_lists(defaults(function, but))


def test_defaults_of_airbench_and_the_names_of_views():
    own = {
        key: entry.default for key, entry in keys.NETWORKS["airbench"].items() if key not in ("whiten", "activation")
    }
    assert own == as_lists(defaults(models.airbench, ("num_classes", "channels", "activation")))
    assert list(keys.TEST) == [field.name for field in dataclasses.fields(Views)]


def test_changes_leave_the_recipe_as_it_was():
    recipe = recipes.load("94")
    before = recipe.resolved()
    other = recipe.with_changes({"train.epochs": 3, "network.widths": [8, 16], "average.decay": 0.9})
    assert other["train"]["epochs"] == 3 and other["network"]["widths"] == [8, 16]
    assert other["average"] == {"decay": 0.9, "every": 1, "power": 0.0, "lookahead": False}
    assert recipe.resolved() == before
    other.resolved()["train"]["epochs"] = 99
    assert other["train"]["epochs"] == 3


def test_another_network_rule_or_schedule_starts_from_its_defaults_but_the_rate_stays():
    recipe = recipes.load("tutorial")
    other = recipe.with_changes(
        {"optimizer.momentum": 0.5, "optimizer.rule": "nesterov", "network.name": "fully-connected",
         "network.hidden": [7, 8], "schedule.name": "cosine"}
    )  # fmt: skip
    assert other["network"] == {
        "name": "fully-connected", "hidden": [7, 8], "weight_scale": 1e-2, "normalization": "none", "keep": 1.0
    }  # fmt: skip
    assert other["optimizer"] == {
        "rule": "nesterov", "learning_rate": 1e-3, "momentum": 0.5, "weight_decay": 0.0, "groups": {}
    }  # fmt: skip
    assert other["schedule"] == {"name": "cosine", "final": 0.0}
    same = recipe.with_changes({"network.name": "three-layer", "network.filters": 8})
    assert same["network"]["weight_scale"] == 1e-3 and same["network"]["filters"] == 8


def test_another_rule_reaches_the_groups_that_follow_it():
    other = recipes.load("94").with_changes({"optimizer.rule": "adam"})
    assert other["optimizer"]["groups"]["head"]["rule"] == "adam"
    assert other["optimizer"]["groups"]["head"]["learning_rate"] == 1340
    assert other["optimizer"]["groups"]["filters"]["rule"] == "muon"


def test_a_table_can_be_taken_out():
    recipe = recipes.load("94").with_changes({"optimizer.groups.head": False, "average.every": 5})
    assert list(recipe["optimizer"]["groups"]) == ["filters", "whitening", "shifts"]
    assert recipe.with_changes({"average": False})["average"] is False


def test_a_group_takes_the_recipes_settings_where_it_has_its_rule():
    groups = recipes.load("94")["optimizer"]["groups"]
    assert groups["head"]["momentum"] == 0.85
    assert groups["filters"]["momentum"] == 0.6 and groups["filters"]["weight_decay"] == 0
    assert groups["whitening"]["params"] == ["whiten.b"]


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        ("train.epochs=4", "train.epochs", 4),
        ("network.widths=[64, 128]", "network.widths", [64, 128]),
        ("network.name=resnet9", "network.name", "resnet9"),
        ("network.name=three-layer", "network.name", "three-layer"),
        ("network.name = 'vgg'", "network.name", "vgg"),
        ("average=false", "average", False),
        ("schedule={name='cosine'}", "schedule", {"name": "cosine"}),
    ],
)
def test_changes_as_they_are_typed(change, path, value):
    assert recipes.parsed(change) == (path, value)


@pytest.mark.parametrize("change", ["train.epochs", "=4", "train.epochs=", "a=[1,", "a=1\nb=2", "a=two words"])
def test_what_is_no_change(change):
    with pytest.raises(ValueError, match="--set: "):
        recipes.parsed(change)


REFUSED = {
    "unknown key": ("[train]\nepoch = 3", "recipe x: [train] has the unknown key 'epoch' (did you mean 'epochs'?)"),
    "unknown table": ("[tran]\nepochs = 3", "has the unknown key 'tran' (did you mean 'train'?)"),
    "unknown key of a network": (
        "[network]\nname = 'vgg'\nhidden = [5]",
        "[network] (vgg) has the unknown key 'hidden'; it knows depth, widths",
    ),
    "unknown network": ("[network]\nname = 'vg'", "network.name is 'vg'; it must be one of"),
    "no table": ("train = 3", "train is 3, a int; it must be a table"),
    "float epochs": ("[train]\nepochs = 1.5", "train.epochs is 1.5, a float; it must be an integer"),
    "word for a number": ("[train]\nepochs = 'two'", "train.epochs is 'two', a str; it must be an integer"),
    "no epochs": ("[train]\nepochs = 0", "train.epochs is 0; it must be at least 1"),
    "rate below zero": ("[optimizer]\nlearning_rate = -1", "optimizer.learning_rate is -1; it must be above 0"),
    "setting of another rule": (
        "[optimizer]\nmomentum = 0.9",
        "[optimizer] (rule adam) has the unknown key 'momentum'",
    ),
    "state of a rule": ("[optimizer]\nt = 3", "has the unknown key 't'"),
    "rule's range": ("[optimizer]\nbeta1 = 1", "optimizer['beta1'] is 1; it must be at least 0 and below 1"),
    "group without parameters": ("[optimizer.groups.a]\nuntil = 1", "[optimizer.groups.a] lacks the key 'params'"),
    "group's key": ("[optimizer.groups.a]\nparams = 'x'\nrat = 1", "[optimizer.groups.a] has the unknown key 'rat'"),
    "group's end": ("[optimizer.groups.a]\nparams = 'x'\nuntil = 2", "optimizer.groups.a.until is 2; it must be"),
    "group's schedule": (
        "[optimizer.groups.a]\nparams = 'x'\nschedule = {name = 'cosine', start = 1}",
        "[optimizer.groups.a.schedule] (cosine) has the unknown key 'start'",
    ),
    "schedule's key": ("[schedule]\nname = 'cosine'\npeak = 1", "[schedule] (cosine) has the unknown key 'peak'"),
    "two decays": ("[schedule]\nname = 'cosine'\n[train]\nlr_decay = 0.9", "both change the learning rate"),
    "smoothing without a list of steps": ("[loss]\nlabel_smoothing = 0.1", "three-layer is a class of the course"),
    "two scales": ("[data]\nnormalise = 'channel'\nscale = 2", "divides each channel by its own deviation"),
    "two hidden layers": ("[network]\nhidden = [5, 6]", "network.hidden is [5, 6]; it must have 1 value"),
    "depth": ("[network]\nname = 'vgg'\ndepth = 12", "network.depth is 12; it must be one of 11, 13, 16, 19"),
    "flag": ("[network]\nname = 'airbench'\nwhiten = 1", "network.whiten is 1; it must be True or False"),
    "size": ("[data]\nimage_size = [32]", "data.image_size is [32]; it must have 2 values"),
    "number for text": ("about = 3", "about is 3, a int; it must be a string"),
    "no TOML": ("[train\nepochs", "recipe x: it is not TOML: "),
    "twice": ("[train]\nepochs = 1\nepochs = 2", "recipe x: it is not TOML: "),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_recipes_are_refused_in_a_sentence(content, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        recipes.from_text("x", content)
    assert message in str(caught.value)
    assert str(caught.value).startswith("recipe x: ")
    assert "\n" not in str(caught.value)


def test_a_recipe_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(recipes.text("94").replace("epochs = 8", "epochs = 9"))
    assert recipes.load(path)["train"]["epochs"] == 9
    path.write_text("[train]\nepochs = 0")
    with pytest.raises(ValueError, match=r"mine\.toml: train\.epochs is 0"):
        recipes.load(str(path))


def test_files_that_are_no_recipe(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'tutorial'"):
        recipes.load("tutoral")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        recipes.load("mine.toml")
    with pytest.raises(ValueError, match="this is no recipe"):
        recipes.load(tmp_path)
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8"):
        recipes.load(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ValueError, match="less than 1,000,000 bytes"):
        recipes.load(tmp_path / "b.toml")
    with pytest.raises(ValueError, match="it must be one of tutorial"):
        recipes.text("../../secret")
    with pytest.raises(TypeError, match="it must be a dictionary"):
        recipes.from_dict([])
    with pytest.raises(ValueError, match="is no key"):
        recipes.load("94").with_changes({"train..epochs": 1})


def test_messages_name_the_option_that_the_user_typed():
    with pytest.raises(ValueError, match="--epochs is 0; it must be at least 1"):
        recipes.load("tutorial").with_changes({"train.epochs": 0}, {"train.epochs": "--epochs"})
    with pytest.raises(ValueError, match=r"\(three-layer\) has the unknown key '--keep'"):
        recipes.load("tutorial").with_changes({"network.keep": 0.5}, {"network.keep": "--keep"})


def test_a_damaged_record_is_named():
    with pytest.raises(ValueError, match=r"the recipe in run\.json: train\.epochs is 0"):
        recipes.from_dict({"name": "94", "train": {"epochs": 0}}, "the recipe in run.json")
