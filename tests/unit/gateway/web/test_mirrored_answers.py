"""Answers that wait for the mirror: who is woken by what, and what happens when nothing comes."""

import asyncio
from collections.abc import Sequence

import pytest

from contracts.errors import Fault
from gateway.web.mirrored import Answers

LONG_S, SHORT_S = 60.0, 0.01


async def waiting(answers: Answers, indices: Sequence[int]) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(answers.confirmed(index)) for index in indices]
    await asyncio.sleep(0)
    return tasks


async def outcome(task: asyncio.Task[None]) -> str:
    try:
        await task
    except Fault as fault:
        return fault.code
    return "released"


def test_one_head_releases_all_whom_it_covers_and_nobody_else() -> None:
    async def scenario() -> None:
        answers = Answers("log", 0, LONG_S)
        tasks = await waiting(answers, [4, 0, 3, 5])
        answers.advance(4)
        await asyncio.sleep(0)
        assert [task.done() for task in tasks] == [False, True, True, False]
        assert answers.waiting == 2
        answers.advance(3)
        await asyncio.sleep(0)
        assert answers.waiting == 2, "an older head takes nothing back, and gives nothing"
        answers.advance(6)
        assert [await outcome(task) for task in tasks] == ["released"] * 4
        assert (answers.waiting, answers.withheld) == (0, 0)

    asyncio.run(scenario())


def test_what_is_confirmed_already_does_not_wait() -> None:
    async def scenario() -> None:
        answers = Answers("log", 5, LONG_S)
        await answers.confirmed(4)
        (task,) = await waiting(answers, [5])
        assert not task.done()
        answers.advance(6)
        assert await outcome(task) == "released"

    asyncio.run(scenario())


def test_one_that_waited_in_vain_opens_the_breaker_until_it_is_confirmed() -> None:
    async def scenario() -> None:
        answers = Answers("log", 0, SHORT_S)
        first, second = await waiting(answers, [0, 1])
        assert [await outcome(first), await outcome(second)] == ["mirror_unavailable"] * 2
        with pytest.raises(Fault, match="mirror_unavailable"):
            answers.check()
        (third,) = await waiting(answers, [2])
        assert third.done(), "nobody waits any more"
        assert await outcome(third) == "mirror_unavailable"
        assert answers.withheld == 3
        answers.advance(1)
        answers.check()

    asyncio.run(scenario())


def test_the_end() -> None:
    async def scenario() -> None:
        answers = Answers("log", 0, LONG_S)
        tasks = await waiting(answers, [0, 1])
        draining = asyncio.create_task(answers.drain(LONG_S))
        await asyncio.sleep(0)
        answers.advance(2)
        await draining
        assert [await outcome(task) for task in tasks] == ["released"] * 2
        tasks = await waiting(answers, [2])
        await answers.drain(0.0)
        assert await outcome(tasks[0]) == "mirror_unavailable"
        await answers.drain(0.0)

    asyncio.run(scenario())


def test_after_the_end_nobody_begins_to_wait() -> None:
    """A question on a connection that still stood: its record comes after the others were refused."""

    async def scenario() -> None:
        answers = Answers("log", 5, LONG_S)
        await answers.drain(0.0)
        (task,) = await waiting(answers, [5])
        assert task.done()
        assert await outcome(task) == "mirror_unavailable"
        await answers.confirmed(4)

    asyncio.run(scenario())


def test_one_who_went_away_is_forgotten() -> None:
    async def scenario() -> None:
        answers = Answers("log", 0, LONG_S)
        (task,) = await waiting(answers, [0])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert answers.waiting == 0
        answers.advance(1)

    asyncio.run(scenario())
