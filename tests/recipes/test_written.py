"""Recipes written as TOML: what is read back means the same."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import recipes
from pellucid.recipes.written import recipe_text, value_text

HARD = {
    "average": {"average": {"decay": 0.99}},
    "a group whose name is no bare word": {"optimizer.groups": {'all "b"': {"params": ["*b1", "*b2"], "until": 0.5}}},
    "a schedule of its own": {"optimizer.groups": {"w": {"params": "*W*", "schedule": {"name": "cosine"}}}},
    "a size": {"data.image_size": [8, 9]},
    "another network": {"network.name": "vgg", "network.depth": 11},
    "tiny numbers": {"optimizer.learning_rate": 1e-300, "network.weight_scale": 5e-324},
    "words": {"about": 'a "quoted" word \\ and 汉字 😀 \x7f \x01 \n and a line'},
}


def without_name(recipe):
    return {key: value for key, value in recipe.resolved().items() if key != "name"}


@pytest.mark.parametrize("name", recipes.names())
def test_the_packages_recipes_come_back(name):
    recipe = recipes.load(name)
    again = recipes.from_text("again", recipe_text(recipe, ["a comment\nof two lines", ""]))
    assert without_name(again) == without_name(recipe)


@pytest.mark.parametrize("changes", HARD.values(), ids=HARD)
def test_everything_that_a_recipe_may_hold_comes_back(changes):
    recipe = recipes.load("tutorial").with_changes(changes)
    text = recipe_text(recipe, ["tab\tand \x00 byte"])
    assert without_name(recipes.from_text("again", text)) == without_name(recipe)
    assert without_name(recipes.from_text("twice", recipe_text(recipes.from_text("again", text)))) == without_name(
        recipe
    )


@given(st.text() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_every_value_is_the_same_when_it_is_read(value):
    import tomllib

    read = tomllib.loads(f"x = {value_text([value, {'a b': value}])}")["x"]
    assert read == [value, {"a b": value}]
    assert type(read[0]) is type(value)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, {1, 2}, b"bytes", [None]])
def test_what_toml_has_no_word_for_is_refused(value):
    with pytest.raises((TypeError, ValueError), match="value_text"):
        value_text(value)
