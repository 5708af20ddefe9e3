"""The trials of a search, shared by all processes that take part: begun, ended, given up where their process is gone.

Optuna proposes the settings and says which trials are not worth going on with. What it leaves to its users is here: no
more trials are begun than were asked for, however many processes begin them; a trial whose process was killed does not
run for ever; and the proposals depend on the seed and on what is known, not on which process asks.
"""

from __future__ import annotations

import contextlib
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from pellucid.search.folder import SearchFolder
from pellucid.search.journal import Journal
from pellucid.search.owner import owner_of, this_process
from pellucid.search.rows import COMPLETE, FAILED, PRUNED, RUNNING, Row
from pellucid.search.space import Space

NAME = "search"
"""Of the study in the journal. Hyperband divides trials by it, so it is the same in every folder."""

LOST_AFTER_S = 600.0
"""A trial whose file was not touched for so long, on the clock of whoever watches, is given up. A step takes seconds,
the compilation before the first one two minutes; and a shared file system may show a change a minute late."""

HOPELESS_AFTER = 5
"""So many trials that failed alike, and none that did not: the space or the recipe is wrong."""

STARTUP_TRIALS = 10
"""That are drawn at random before the sampler goes by what it has seen."""

SAMPLERS, PRUNERS = ("tpe", "random", "grid"), ("median", "hyperband", "none")
STATES = {
    COMPLETE: TrialState.COMPLETE,
    PRUNED: TrialState.PRUNED,
    FAILED: TrialState.FAIL,
    RUNNING: TrialState.RUNNING,
}
OWNER, REASON, LOST, ITSELF, AGAIN = "owner", "reason", "lost", "recipe itself", "again"
"""What is noted of a trial: see `Row`. AGAIN is the number of the trial that was lost."""

QUEUED = "fixed_params"
"""Where Optuna keeps what was queued for a trial."""

BEAT_EVERY_S = 5.0
NUMBERS = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?")


@dataclass(frozen=True)
class Method:
    """How settings are proposed, and how trials are given up early."""

    sampler: str
    pruner: str
    seed: int
    looks: int
    """The most looks at the accuracy that a trial has."""
    warm_up: int
    """The first looks, after which no trial ends."""


class Hopeless(ValueError):
    """Every trial fails in the same way."""


class GivenUp(RuntimeError):
    """Another process has counted this trial as lost, so that its result no longer counts."""


class Study:
    """The study in a search's folder. What changes it holds the folder's lock.

    Parameters
    ----------
    folder : SearchFolder
        Joined already.
    space : Space
    method : Method
    lost_after_s : float

    Raises
    ------
    ValueError
        The journal is damaged.
    OSError
        The folder cannot be written.
    """

    def __init__(self, folder: SearchFolder, space: Space, method: Method, lost_after_s: float = LOST_AFTER_S) -> None:
        self.folder, self.space, self.method, self.lost_after_s = folder, space, method, lost_after_s
        self.points = space.points() if method.sampler == "grid" else []
        self._own: set[int] = set()
        self._beats: dict[
            int, tuple[int, float]
        ] = {}  # what a trial's file said last, and when it changed, as seen here
        with _quiet(), folder.locked("search"):
            try:
                self._storage = optuna.storages.JournalStorage(Journal(folder))
                self._study = optuna.create_study(
                    storage=self._storage,
                    study_name=NAME,
                    direction="maximize",
                    load_if_exists=True,
                    pruner=_pruner(method),
                )
            except (KeyError, TypeError, IndexError, AttributeError, AssertionError) as error:
                raise ValueError(f"search: {folder.journal} is damaged ({error!r}); search in another folder") from None

    def rows(self) -> list[Row]:
        """What is known of every trial that was begun."""
        return [self._row(trial) for trial in self._begun()]

    def importances(self) -> dict[str, float]:
        """The share that each setting has in how the trials differ (fANOVA: Hutter, Hoos and Leyton-Brown, 2014).

        Pruned trials count with their last look: without them it would be the spread among the good ones. Settings that
        only some trials have are left out. Empty where too few have ended, or all alike.
        """
        with _quiet():
            ended = optuna.create_study(direction="maximize")
            for trial in self._begun():
                if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and trial.value is not None:
                    known = optuna.trial.create_trial(
                        value=trial.value, params=trial.params, distributions=trial.distributions
                    )
                    ended.add_trial(known)
            if len({trial.value for trial in ended.get_trials(deepcopy=False)}) < 2:
                return {}
            try:
                evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.method.seed)
                found = optuna.importance.get_param_importances(ended, evaluator=evaluator)
            except (ValueError, RuntimeError):
                return {}
        return {key: float(share) for key, share in found.items() if np.isfinite(share)}

    def claim(self, total: int) -> Claim | None:
        """Begin a trial, where fewer than ``total`` have been begun, and the grid has points left.

        Raises
        ------
        Hopeless
            All trials so far have failed in the same way.
        """
        with _quiet(), self.folder.locked("search"):
            self._give_up_lost()
            trials = self._study.get_trials(deepcopy=False)
            begun = [trial for trial in trials if trial.state != TrialState.WAITING]
            self._check_hope(begun)
            if len(begun) >= total or not self._something_to_ask(trials):
                return None
            self._study.sampler = _sampler(self.method, len(trials))
            trial = self._study.ask()
            self._own.add(trial.number)
            params = self.space.suggested(trial)
            self._note(trial.number, {OWNER: this_process().attributes()})
            self.folder.beat(trial.number).touch()
        return Claim(self, trial, params)

    def end(self, number: int, state: str, accuracy: float | None = None, **about: Any) -> bool:
        """A trial of this process has ended; False where another process has given it up before.

        Parameters
        ----------
        number : int
        state : str
            complete, pruned or failed.
        accuracy : float, optional
            Of a complete one.
        **about
            What else to note: see `Row`. What is ``lost`` is tried once more, some time.
        """
        with _quiet(), self.folder.locked("search"):
            self._own.discard(number)
            self.folder.beat(number).unlink(missing_ok=True)
            trial = self._trial(number)
            if trial.state != TrialState.RUNNING:
                return False
            self._note(number, about)
            self._study.tell(number, accuracy, STATES[state])
            if about.get(LOST):
                self._queue_again(trial)
        return True

    def others(self) -> int:
        """How many trials still run in other processes; those that do not are given up."""
        with _quiet():
            if not self._running_elsewhere():
                return 0
            with self.folder.locked("search"):
                self._give_up_lost()
            return len(self._running_elsewhere())

    def _something_to_ask(self, trials: list[FrozenTrial]) -> bool:
        """Put what comes before the sampler's proposals into the queue; False where nothing is left of a grid."""
        if any(trial.state == TrialState.WAITING for trial in trials):
            return True
        if self.method.sampler == "grid":
            visited = [trial.params for trial in trials]
            left = (self.points[i] for i in np.random.RandomState(self.method.seed).permutation(len(self.points)))
            point = next((point for point in left if point not in visited), None)
            if point is None:
                return False
            self._study.enqueue_trial(point)
        elif not trials and (own := self.space.own_params()) is not None:
            self._study.enqueue_trial(own, {ITSELF: True})
        return True

    def _give_up_lost(self) -> None:
        """Trials whose process is gone, or not heard of any more, have failed."""
        for trial in self._running_elsewhere():
            reason = self._loss(trial)
            if reason:
                self._note(trial.number, {REASON: reason, LOST: True})
                self._study.tell(trial.number, state=TrialState.FAIL)
                if AGAIN not in trial.user_attrs:  # what kills its process twice would go on to
                    self._queue_again(trial)
                self.folder.beat(trial.number).unlink(missing_ok=True)

    def _loss(self, trial: FrozenTrial) -> str:
        """Why a running trial will not end by itself; nothing where it may."""
        owner = owner_of(trial.user_attrs.get(OWNER))
        if owner is None:  # a trial is begun under the lock that we have now
            return "its process ended before it began"
        if owner.is_gone:
            return f"its process ({owner.pid} on {owner.host}) ended without a word"
        try:
            beat = self.folder.beat(trial.number).stat().st_mtime_ns
        except FileNotFoundError:
            beat = 0
        now = time.monotonic()
        if self._beats.get(trial.number, (None,))[0] != beat:
            self._beats[trial.number] = beat, now
        if now - self._beats[trial.number][1] <= self.lost_after_s:
            return ""
        return f"its process ({owner.pid} on {owner.host}) was not heard of for {self.lost_after_s:g} s"

    def _queue_again(self, trial: FrozenTrial) -> None:
        """With the same settings; not where its process ended before it had them all."""
        params = trial.params if OWNER in trial.user_attrs else trial.system_attrs.get(QUEUED)
        if params:
            kept = {key: value for key, value in trial.user_attrs.items() if key == ITSELF}
            self._study.enqueue_trial(dict(params), {AGAIN: trial.number, **kept})

    def _check_hope(self, begun: list[FrozenTrial]) -> None:
        failed = [trial for trial in begun if trial.state == TrialState.FAIL and not trial.user_attrs.get(LOST)]
        others = [trial for trial in begun if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        reasons = [str(trial.user_attrs.get(REASON, "")) for trial in failed]
        if len(failed) >= HOPELESS_AFTER and not others and len({NUMBERS.sub("#", reason) for reason in reasons}) == 1:
            raise Hopeless(
                f"search: the first {len(failed)} trials all failed alike: {reasons[0]} - correct the space or the "
                f"recipe, and search in another folder than {self.folder.path}"
            )

    def _running_elsewhere(self) -> list[FrozenTrial]:
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [trial for trial in running if trial.number not in self._own]

    def _begun(self) -> list[FrozenTrial]:
        return [trial for trial in self._study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]

    def _trial(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _note(self, number: int, about: Mapping[str, Any]) -> None:
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number)
        for key, value in about.items():
            self._storage.set_trial_user_attr(trial_id, key, value)

    def _row(self, trial: FrozenTrial) -> Row:
        notes = dict(trial.user_attrs)
        return Row(
            number=trial.number,
            state=next(name for name, state in STATES.items() if state == trial.state),
            accuracy=None if trial.state == TrialState.FAIL else trial.value,
            values=self.space.values(trial.params),
            params=dict(trial.params),
            reason=str(notes.pop(REASON, "")),
            lost=bool(notes.pop(LOST, False)),
            looks=dict(trial.intermediate_values),
            about=notes,
        )


class Claim:
    """A trial that this process has begun, and must end.

    Attributes
    ----------
    number : int
    params : dict
        Its settings, as Optuna has them.
    """

    def __init__(self, study: Study, trial: optuna.Trial, params: dict[str, Any]) -> None:
        self.number, self.params = trial.number, params
        self._study, self._trial = study, trial
        self._beat = study.folder.beat(trial.number)
        self._beat_at = time.monotonic()

    @property
    def is_the_recipe(self) -> bool:
        """Whether it is the recipe as it was given."""
        return bool(self._trial.user_attrs.get(ITSELF))

    def beat(self) -> None:
        """The trial got on."""
        if time.monotonic() - self._beat_at >= BEAT_EVERY_S:
            self._beat.touch()
            self._beat_at = time.monotonic()

    def report(self, look: int, accuracy: float) -> bool:
        """A look at the accuracy; True where the trial is not worth going on with.

        Raises
        ------
        GivenUp
            Another process has counted it as failed.
        """
        self._beat_at = 0.0
        self.beat()
        with _quiet():
            try:
                self._trial.report(accuracy, look)
                return self._trial.should_prune()
            except RuntimeError as error:  # Optuna's UpdateFinishedTrialError
                raise GivenUp(f"trial {self.number} was given up by another process") from error


def _sampler(method: Method, number: int) -> optuna.samplers.BaseSampler:
    """A sampler whose draws depend on the seed and the trial's number alone."""
    seed = int(np.random.SeedSequence([method.seed, number]).generate_state(1)[0])
    if method.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS, constant_liar=True)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(method: Method) -> optuna.pruners.BasePruner:
    if method.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=method.warm_up + 1)
    if method.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=max(1, method.looks))
    return optuna.pruners.NopPruner()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's own lines, and what it warns of: that it may change what we do not rely on."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
