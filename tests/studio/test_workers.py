"""Child processes that compute: what becomes of one that refuses, hangs, dies or is no longer wanted."""

import asyncio
import os
import signal

import pytest

from pellucid.studio.workers import Worker, WorkFailed

EASY = "walk", {"request": {"list": True}}


def with_worker(scene):
    """Run ``scene(worker)``, and leave no process."""

    async def all_of_it():
        worker = Worker("test")
        try:
            return await scene(worker)
        finally:
            await worker.close()

    return asyncio.run(all_of_it())


def test_one_process_answers_again_and_again():
    async def scene(worker):
        first = await worker.ask(*EASY)
        process = worker._process.pid
        assert await worker.ask(*EASY) == first
        assert worker._process.pid == process

    with_worker(scene)


def test_a_refusal_is_a_sentence_and_the_process_stays():
    async def scene(worker):
        await worker.ask(*EASY)
        process = worker._process.pid
        with pytest.raises(WorkFailed, match="operation is None") as refused:
            await worker.ask("walk", {"request": {}})
        assert refused.value.status == 422
        assert worker._process.pid == process

    with_worker(scene)


def test_a_process_that_hangs_is_ended_and_replaced():
    async def scene(worker):
        await worker.ask(*EASY)
        process = worker._process.pid
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(WorkFailed, match=r"longer than 0\.2 seconds") as hung:
            await worker.ask(*EASY, limit_s=0.2)
        assert hung.value.status == 504
        assert await worker.ask(*EASY)
        assert worker._process.pid != process
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)

    with_worker(scene)


def test_a_process_that_died_meanwhile_is_replaced():
    async def scene(worker):
        await worker.ask(*EASY)
        worker._process.kill()
        await worker._process.wait()
        assert await worker.ask(*EASY)

    with_worker(scene)


def test_who_no_longer_waits_ends_the_work():
    async def scene(worker):
        await worker.ask(*EASY)
        process = worker._process.pid
        os.kill(process, signal.SIGSTOP)
        waiting = asyncio.create_task(worker.ask(*EASY))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await worker.ask(*EASY)

    with_worker(scene)


def test_who_waits_for_a_turn_and_leaves_takes_nothing_from_the_others():
    async def scene(worker):
        first = asyncio.create_task(worker.ask(*EASY))
        await asyncio.sleep(0)
        second = asyncio.create_task(worker.ask(*EASY))
        await asyncio.sleep(0)
        second.cancel()
        assert await first

    with_worker(scene)


def test_after_the_end_nothing_new_begins():
    async def scene(worker):
        await worker.ask(*EASY)
        await worker.close()
        with pytest.raises(WorkFailed, match="is ending") as ended:
            await worker.ask(*EASY)
        assert ended.value.status == 503
        assert worker._process is None

    with_worker(scene)
