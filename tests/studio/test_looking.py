"""Looking into a network: every answer is what the package itself gives."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from pellucid import load
from pellucid.data import load_digits
from pellucid.inspect import filter_picture, strongest

ITEM = "/api/items/first"


def picture(answer):
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.body)))


def of_url(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


@pytest.fixture
def model(runs):
    return load(runs / "first" / "model.safetensors")


@pytest.fixture
def digits():
    return load_digits()


def test_what_there_is(lasting, runs):
    state = lasting.ask("/api/state").json
    (item,) = state["items"]
    result = json.loads((runs / "first" / "result.json").read_text())
    assert (item["id"], item["kind"], item["state"], item["has_model"]) == ("first", "run", "finished", True)
    assert (item["recipe"], item["data"], item["epochs_done"]) == ("tutorial", "digits", 5)
    assert item["test_accuracy"] == result["test_accuracy"]
    assert {"quick", "94", "96", "tutorial"} <= {recipe["name"] for recipe in state["recipes"]}
    assert next(row for row in state["datasets"] if row["name"] == "digits")["here"]


def test_a_run_and_its_metrics(lasting, runs):
    told = lasting.ask("/api/runs/first").json
    assert "epochs = 5" in told["recipe_toml"]
    assert told["recipe"] == json.loads((runs / "first" / "run.json").read_text())["recipe"]
    metrics = lasting.ask("/api/runs/first/metrics").json
    lines = [json.loads(line) for line in (runs / "first" / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    assert metrics["steps"]["loss"] == [line["loss"] for line in steps]
    assert metrics["epochs"]["val_accuracy"] == [line["val_accuracy"] for line in lines if line["kind"] == "epoch"]
    assert metrics["epochs_wanted"] == 5
    assert metrics["steps_per_epoch"] * 5 == len(steps)


def test_the_network(lasting, model):
    told = lasting.ask(f"{ITEM}/network").json
    assert told["classes"] == list(model.classes)
    assert told["input"] == list(model.network.input_shape)
    assert [layer["name"] for layer in told["layers"]] == [prefix + p.name for _, prefix, p in model.network.places()]
    assert told["layers"][0]["filters"] == 8
    assert sum(layer["parameters"] for layer in told["layers"]) == model.network.summary().parameters


def test_the_film(lasting):
    film = lasting.ask(f"{ITEM}/film").json
    assert film["frames"][0]["step"] == 0
    assert film["filters"] == 8
    first = picture(lasting.ask(f"{ITEM}/film/0.png"))
    last = picture(lasting.ask(f"{ITEM}/film/{len(film['frames']) - 1}.png"))
    height, width = film["cell"]
    assert first.shape[:2] == (film["rows"] * (height + 1) - 1, film["columns"] * (width + 1) - 1)
    assert (first != last).any()


def test_a_filter(lasting, model):
    shown = picture(lasting.ask(f"{ITEM}/filter.png?layer=conv1&filter=2"))
    w = model.network.params["conv1.w"][2]
    np.testing.assert_array_equal(shown, filter_picture(w))


def test_test_images(lasting, digits):
    told = lasting.ask(f"{ITEM}/images?start=5&count=7").json
    assert told["total"] == len(digits.y_test)
    assert [each["index"] for each in told["images"]] == list(range(5, 12))
    assert [each["label"] for each in told["images"]] == [digits.classes[k] for k in digits.y_test[5:12]]
    threes = lasting.ask(f"{ITEM}/images?label=3&count=400").json
    assert threes["total"] == (digits.y_test == 3).sum() == len(threes["images"])


def test_a_sheet_has_the_images_side_by_side(lasting, digits):
    sheet = picture(lasting.ask(f"{ITEM}/sheet.png?indices=4,0,9"))
    pixels = digits.X_test.pixels[[4, 0, 9], :, :, 0]
    np.testing.assert_array_equal(sheet, np.concatenate(list(pixels), axis=1))
    assert picture(lasting.ask(f"{ITEM}/sheet.png?indices={','.join(map(str, range(25)))}")).shape == (16, 160)


def test_a_picture_is_predicted_as_the_program_predicts_it(lasting, model, digits):
    content = io.BytesIO()
    Image.fromarray(digits.X_test.pixels[3, :, :, 0]).resize((40, 40)).save(content, "PNG")
    told = lasting.post(f"{ITEM}/look", content.getvalue(), {"Content-Type": "image/png"}).json
    (expected,) = model.predict([content.getvalue()], top=10)
    assert [(each["label"], each["probability"]) for each in told["probabilities"]] == list(expected.top)
    assert told["label"] is None
    assert of_url(told["input"]).shape == (8, 8)


def test_a_test_image_layer_by_layer(lasting, model, digits):
    told = lasting.post(f"{ITEM}/look?index=7&target=4").json
    assert told["label"] == digits.classes[digits.y_test[7]]
    assert told["target"] == "4"
    assert of_url(told["saliency"]).shape == of_url(told["grad_cam"]).shape == (8, 8, 4)
    names = [layer["name"] for layer in told["layers"]]
    assert names == [prefix + place.name for _, prefix, place in model.network.places()]
    first = told["layers"][0]
    assert of_url(first["sheet"]).shape[:2] == (8 * -(-first["shown"] // first["columns"]), 8 * first["columns"])
    scores = np.array(told["layers"][-1]["values"])
    assert model.classes[scores.argmax()] == told["probabilities"][0]["label"]


def test_the_strongest_answers(lasting, model, runs):
    events = list(lasting.events(f"{ITEM}/strongest?layer=conv1&top=3"))
    assert events[-1][0] == "result"
    assert all(name == "progress" for name, _ in events[:-1])
    from pellucid.runs.folder import RunFolder
    from pellucid.runs.opening import model_of_run

    _, data, _ = model_of_run(RunFolder(runs / "first"))
    values, indices, _ = strongest(model.network, data["X_test"], "conv1", 3)
    for k, row in enumerate(events[-1][1]["filters"]):
        assert [each["image"] for each in row["answers"]] == indices[k].tolist()
        np.testing.assert_allclose([each["value"] for each in row["answers"]], values[k], rtol=1e-5)


def test_mistakes_and_the_images_behind_them(lasting, runs):
    told = list(lasting.events(f"{ITEM}/mistakes"))[-1][1]
    report = json.loads((runs / "first" / "evaluation.json").read_text())
    assert told["confusion"] == report["confusion"]
    assert told["accuracy"] == pytest.approx(report["accuracy"])
    confusion = np.array(told["confusion"])
    assert len(told["wrong"]) == confusion.sum() - np.trace(confusion)
    probabilities = [each["probability"] for each in told["wrong"]]
    assert probabilities == sorted(probabilities, reverse=True)
    worst = told["wrong"][0]
    place = [told["classes"].index(worst[name]) for name in ("label", "predicted")]
    found = lasting.ask(f"{ITEM}/mistakes/cell?label={place[0]}&predicted={place[1]}").json["images"]
    assert len(found) == confusion[place[0], place[1]]
    assert found[0]["image"] == worst["image"]


def test_validation_images_too(lasting):
    assert list(lasting.events(f"{ITEM}/mistakes?part=val"))[-1][1]["part"] == "val"


def test_the_walk(lasting):
    shown = lasting.post("/api/walk", {"example": "pool-gradient"}).json
    assert shown["arrays"]["dx"] == [[[2, 0, 0, 0], [0, 0, 0, 8], [0, 4, 0, 0], [0, 0, 6, 0]]]
    assert {example["name"] for example in lasting.post("/api/walk", {"list": True}).json} >= {"volume", "rotated"}


def test_a_model_file_with_and_without_data(serve, runs, tmp_path):
    file = runs / "first" / "model.safetensors"
    alone = serve(paths=[file], runs=tmp_path / "none")
    (item,) = alone.ask("/api/state").json["items"]
    assert (item["kind"], item["state"], item["id"]) == ("model", "model", "model")
    assert alone.ask("/api/items/model/network").json["images"] == 0
    assert "no test images" in alone.ask("/api/items/model/images").json["error"]
    assert (
        serve(paths=[file], runs=tmp_path / "none", data="digits").ask("/api/items/model/network").json["images"] == 297
    )


def test_weights_that_change_have_another_stamp(served, runs):
    before = served.ask(f"{ITEM}/network").json["stamp"]
    (runs / "first" / "model.safetensors").unlink()
    told = served.ask(f"{ITEM}/network").json
    assert told["stamp"] != before
    assert told["weights"].startswith("checkpoint, epoch 5")
