"""Several processes that train together, played by threads: they compute what one process would."""

import threading

import numpy as np
import pytest

from pellucid import draws
from pellucid.models import Affine, BatchNorm, Conv, Dropout, FullyConnectedNet, MaxPool, Network, ReLU, Residual
from pellucid.training import Augmentation, Average, Hook, NonFiniteLoss, Solver, Together, Views, accuracy, scores
from thread_ranks import in_ranks

STEPS = 14  # of 37 images, 10 a batch: sizes 10, 9, 9, 9
SEED = 5


def data(count=37):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((count, 2, 8, 8)), rng.integers(3, size=count)
    X[np.arange(count), 0, y] += 2
    return {"X_train": X, "y_train": y, "X_val": X[:11], "y_val": y[:11]}


def network(*more, **options):
    generator = draws.BatchGenerator(np.random.PCG64(SEED))
    block = Residual([Conv(6, 3, pad=1, bias=False), BatchNorm(), ReLU()])
    steps = [Conv(6, 3, pad=1), BatchNorm(), ReLU(), MaxPool(2), block, *more, Affine(3)]
    return Network(steps, (2, 8, 8), dtype=np.float64, rng=generator, **options)


def solver(model, together=None, **options):
    settings = {
        "update_rule": "sgd_momentum", "optim_config": {"learning_rate": 0.05}, "batch_size": 10, "num_epochs": 4,
        "shuffle": True, "rng": SEED, "num_train_samples": 20, "verbose": False,
    }  # fmt: skip
    return Solver(model, data(), **settings | options, reduce_gradients=together)


def trained(make, together=None, **options):
    model = make()
    one = solver(model, together, **options)
    one.train()
    return one


def by_all(size, make, synchronise=True, bucket_bytes=1 << 10, **options):
    def one(ranks):
        return trained(make, Together(ranks, synchronise, bucket_bytes), **options)

    return in_ranks(size, one)


def assert_alike(solvers, single, rtol=1e-9):
    for one in solvers:
        np.testing.assert_allclose(one.loss_history, single.loss_history, rtol=rtol)
        assert one.train_acc_history == single.train_acc_history
        assert one.val_acc_history == single.val_acc_history
        for name, w in single.model.params.items():
            assert np.array_equal(one.model.params[name], solvers[0].model.params[name]), "all ranks have the same bits"
            np.testing.assert_allclose(one.model.params[name], w, rtol=1e-7, atol=1e-9)
        for own, whole in zip(one.model.bn_params, single.model.bn_params, strict=True):
            np.testing.assert_allclose(own["running_var"], whole["running_var"], rtol=1e-7)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("bucket_bytes", [1, 1 << 10, 1 << 30])
def test_synchronised_they_train_as_one(size, bucket_bytes):
    make = lambda: network(reg=0.01)  # noqa: E731
    augmentation = Augmentation(flip="random", shift=1, cutout=2, seed=3)
    single = trained(make, augmentation=augmentation)
    assert single.loss_history[-1] < single.loss_history[0]
    assert_alike(by_all(size, make, bucket_bytes=bucket_bytes, augmentation=augmentation), single)


@pytest.mark.parametrize("size", [2, 3])
def test_dropout_drops_the_same_places(size):
    make = lambda: network(Dropout(0.5))  # noqa: E731
    assert_alike(by_all(size, make), trained(make))


def test_averaged_weights_are_the_same(monkeypatch):
    options = {"average": Average(decay=0.9, every=2), "keep": "last"}
    assert_alike(by_all(2, network, **options), trained(network, **options))


@pytest.mark.parametrize("keep", [1, 0.6])
def test_a_class_of_the_course_that_tells_nothing_while_it_computes(keep):
    def make():
        generator = draws.BatchGenerator(np.random.PCG64(SEED))
        return FullyConnectedNet(
            [7], input_dim=128, num_classes=3, weight_scale=0.1, reg=0.1, dtype=np.float64, dropout_keep_ratio=keep,
            rng=generator,
        )  # fmt: skip

    assert_alike(by_all(3, make, synchronise=False), trained(make))


def test_own_statistics_train_nearly_alike_and_running_ones_are_shared():
    single = trained(network)
    solvers = by_all(2, network, synchronise=False)
    np.testing.assert_allclose(solvers[0].loss_history[0], single.loss_history[0], rtol=0.2)
    assert not np.allclose(solvers[0].loss_history, single.loss_history, rtol=1e-3)
    assert solvers[0].loss_history == solvers[1].loss_history
    for key in ("running_mean", "running_var"):
        for one, other in zip(solvers[0].model.bn_params, solvers[1].model.bn_params, strict=True):
            assert np.array_equal(one[key], other[key])
            assert one[key].dtype == np.float64 and one[key].any()


class Seen(Network):
    """Notes the images that it computes."""

    seen = None

    def loss(self, X, y=None):
        if y is not None:
            self.seen.extend(X[:, 0, 0, 0].tolist())
        return super().loss(X, y)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_image_of_an_epoch_is_computed_once(size):
    def one(ranks):
        model = Seen([Affine(3)], (2, 8, 8), rng=1)
        model.seen = []
        solver(model, Together(ranks), num_epochs=3).train()
        return model.seen

    seen = np.concatenate(in_ranks(size, one))
    images, counts = np.unique(np.float32(seen), return_counts=True)
    assert images.tolist() == sorted(np.float32(data()["X_train"][:, 0, 0, 0]).tolist())
    assert (counts == 3).all()


class StopAt(Hook):
    def __init__(self, step):
        self.step = step

    def on_step(self, solver):
        if solver.iteration == self.step:
            solver.stop()


def test_one_is_told_to_stop_and_all_do():
    def one(ranks):
        hooks = [StopAt(6)] if ranks.rank == 1 else []
        return trained(network, Together(ranks), hooks=hooks).iteration

    assert in_ranks(3, one) == [6, 6, 6]


def test_a_signal_to_one_stops_all(monkeypatch):
    """HeldSignals holds signals in the main thread only, so one of them is given one here."""
    from pellucid.training import solver as module

    class Held(module.HeldSignals):
        @property
        def signum(self):
            ranks = getattr(local, "ranks", None)
            return 15 if ranks is not None and ranks.rank == 2 else None

        @signum.setter
        def signum(self, value):
            pass

    local = threading.local()
    monkeypatch.setattr(module, "HeldSignals", Held)

    def one(ranks):
        local.ranks = ranks
        own = solver(network(), Together(ranks))
        with pytest.raises(KeyboardInterrupt, match="SIGTERM after step 0 of 16"):
            own.train()
        return own.iteration

    assert in_ranks(3, one) == [0, 0, 0]


def test_other_weights_are_refused():
    def one(ranks):
        model = network()
        model.params["affine1.b"] = model.params["affine1.b"] + (ranks.rank == 1)
        solver(model, Together(ranks)).train()

    with pytest.raises(RuntimeError, match="at the start, rank 1 has other weights than rank 0"):
        in_ranks(3, one)


def test_weights_that_drift_apart_are_seen_at_the_next_look():
    class Drift(Hook):
        def on_step(self, solver):
            if solver.iteration == 2:
                solver.model.params["affine1.b"][0] += 1e-9

    def one(ranks):
        solver(network(), Together(ranks), hooks=[Drift()] if ranks.rank == 2 else []).train()

    with pytest.raises(RuntimeError, match="after step 4, rank 2 has other weights"):
        in_ranks(3, one)


def test_a_part_that_diverges_ends_all_after_the_same_step():
    def one(ranks):
        model = network()
        own = solver(model, Together(ranks))
        if ranks.rank == 1:
            own.X_train[:] = np.nan
        with pytest.raises(NonFiniteLoss, match="at step 1 "):
            own.train()
        return own.iteration

    assert in_ranks(2, one) == [0, 0]


def test_the_model_is_as_before_when_training_has_ended():
    def one(ranks):
        own = trained(network, Together(ranks))
        return own.model

    for model in in_ranks(2, one):
        assert model.on_gradients is None and model.loss_scale == 1 and model.rng.rows is None
        assert not any("total" in layer for layer in model.bn_params)


def test_too_few_images_for_so_many():
    def one(ranks):
        solver(network(), Together(ranks), batch_size=2)

    with pytest.raises(ValueError, match="3 processes share batches of 1 images"):
        in_ranks(3, one)


def test_synchronised_needs_a_model_that_can():
    def one(ranks):
        model = FullyConnectedNet([7], input_dim=128, num_classes=3, normalization="batchnorm", rng=1)
        solver(model, Together(ranks, synchronise=True)).train()

    with pytest.raises(ValueError, match="synchronise needs a model with loss_scale"):
        in_ranks(2, one)


@pytest.mark.parametrize("views", [None, Views(flip=True, shift=1), Views(share=0.3), Views(share=0.03)])
@pytest.mark.parametrize("count", [1, 2, 7, 11])
def test_scores_are_shared_out_and_come_back_in_order(views, count):
    model, (X, y, *_) = network(), data().values()
    whole = scores(model, X[:count], views, batch_size=2)

    def one(ranks):
        together = Together(ranks)
        own = network()
        right = accuracy(own, X[:count], y[:count], views=views, batch_size=2, together=together)
        return scores(own, X[:count], views, batch_size=2, together=together), right

    for found, right in in_ranks(3, one):
        np.testing.assert_array_equal(found, whole)
        assert right == accuracy(model, X[:count], y[:count], views=views, batch_size=2)


def test_gradients_are_on_their_way_before_the_backward_pass_is_over():
    order = []

    def one(ranks):
        model = network()
        together = Together(ranks, bucket_bytes=1)
        started = ranks.start_sum
        ranks.start_sum = lambda array: (order.append("send"), started(array))[1]
        first = model.chain.running[0].step
        own = first.gradients
        first.gradients = lambda *arguments: (order.append("first layer"), own(*arguments))[1]
        solver(model, together, num_epochs=1, batch_size=37).train()
        return together

    together = in_ranks(1, one)[0]
    assert order.index("first layer") >= 3, "the other layers' gradients are sent first"
    assert together.sent_bytes == sum(w.nbytes for w in network().params.values())
    assert together.waited_s >= 0


@pytest.mark.parametrize("sizes", [(2, 1), (2, 3), (1, 3)])
def test_a_run_goes_on_with_another_number_of_processes(sizes, tmp_path):
    make = lambda: network(Dropout(0.7))  # noqa: E731
    single = trained(make)

    def begun(ranks):
        options = {"checkpoint_path": tmp_path / "run.safetensors"} if ranks.rank == 0 else {}
        trained(make, Together(ranks, synchronise=True), hooks=[StopAt(6)], **options)

    def continued(ranks):
        own = solver(make(), Together(ranks, synchronise=True))
        own.resume(tmp_path / "run.safetensors")
        assert own.iteration == 6
        own.train()
        return own

    in_ranks(sizes[0], begun)
    assert_alike(in_ranks(sizes[1], continued), single)


def test_rank_0_alone_prints_and_writes(tmp_path, capsys):
    def one(ranks):
        own = trained(network, Together(ranks), verbose=True, checkpoint_name=tmp_path / "run", num_epochs=2)
        return own.last_checkpoint

    first, second = in_ranks(2, one)
    assert first is not None and second is None
    assert capsys.readouterr().out.count("(Epoch 2 / 2)") == 1


class TestBatchGenerator:
    def test_parts_are_those_of_one_draw(self):
        whole = np.random.default_rng(3)
        expected = whole.random((7, 4, 5))
        parts = []
        for first, last in ((0, 3), (3, 4), (4, 7)):
            own = draws.BatchGenerator(np.random.PCG64(3))
            own.rows = (first, 7)
            parts.append(own.random((last - first, 4, 5)))
            assert own.bit_generator.state == whole.bit_generator.state
        assert np.array_equal(np.concatenate(parts), expected)

    def test_without_rows_it_is_any_generator(self):
        own, other = draws.BatchGenerator(np.random.PCG64(3)), np.random.default_rng(3)
        assert np.array_equal(own.random((3, 2)), other.random((3, 2)))
        assert own.random() == other.random()
        assert np.array_equal(own.random(4, np.float32), other.random(4, np.float32))

    def test_one_that_cannot_advance(self):
        with pytest.raises(TypeError, match="bit_generator is a MT19937, which cannot advance"):
            draws.BatchGenerator(np.random.MT19937(1))
