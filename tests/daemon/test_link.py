import asyncio
import socket

from llr.daemon import channel
from llr.daemon.channel import Answer, Ask
from llr.daemon.link import Link, Note


class Pair:
    """Two ends: one that asks, one that answers what it is told to."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.noted = asyncio.Event()
        self.asked: list[Ask] = []
        self.was_asked = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()
        self.parent = Link(self._note)
        self.child = Link(lambda _note: None, self._answer)

    def _note(self, note: Note) -> None:
        self.notes.append(note)
        self.noted.set()

    async def _answer(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        self.was_asked.set()
        await self.hold.wait()
        return Answer(200, {"path": ask.path})

    async def open(self) -> "Pair":
        left, right = socket.socketpair()
        await self.parent.open(left)
        await self.child.open(right)
        return self


async def test_questions_and_answers() -> None:
    pair = await Pair().open()
    answers = await asyncio.gather(*(pair.parent.ask(Ask("GET", f"/{n}"), timeout_s=5) for n in range(20)))
    assert answers == [Answer(200, {"path": f"/{n}"}) for n in range(20)]
    assert pair.parent.idle
    pair.child.close()
    await asyncio.wait_for(pair.parent.closed.wait(), 5)


async def test_everything_of_a_question_arrives() -> None:
    pair = await Pair().open()
    ask = Ask("POST", "/x", {"a": "ü\n"}, {"big": "x" * 1_000_000})
    await pair.parent.ask(ask, timeout_s=5)
    assert pair.asked == [ask]


async def test_notes() -> None:
    pair = await Pair().open()
    await pair.child.note({"ready": 1})
    await asyncio.wait_for(pair.noted.wait(), 5)
    assert pair.notes == [{"ready": 1}]


async def test_a_late_answer_is_504_and_harms_nothing() -> None:
    pair = await Pair().open()
    pair.hold.clear()
    assert (await pair.parent.ask(Ask("GET", "/slow"), timeout_s=0.01)).status == 504
    pair.hold.set()
    assert (await pair.parent.ask(Ask("GET", "/next"), timeout_s=5)).body == {"path": "/next"}


async def test_a_dead_other_side_is_503() -> None:
    pair = await Pair().open()
    pair.hold.clear()
    waiting = asyncio.ensure_future(pair.parent.ask(Ask("GET", "/never"), timeout_s=5))
    await asyncio.wait_for(pair.was_asked.wait(), 5)
    pair.child.close()
    expected = channel.problem(503, "worker-gone", "The worker process is gone.")
    assert await waiting == expected
    assert await pair.parent.ask(Ask("GET", "/after"), timeout_s=5) == expected


async def test_noise_is_ignored() -> None:
    left, right = socket.socketpair()
    seen: list[Note] = []
    link = Link(seen.append)
    await link.open(left)
    right.sendall(b'nonsense\n[1]\n{"answer": 99, "status": 200}\n{"note": 1}\n')
    right.close()
    await asyncio.wait_for(link.closed.wait(), 5)
    assert seen == [{"note": 1}]


async def test_what_an_earlier_image_left_open_is_asked_again() -> None:
    left, right = socket.socketpair()
    child = Link(lambda _note: None)
    heard = asyncio.Event()

    async def never(_ask: Ask) -> Answer:
        heard.set()
        return await asyncio.Future[Answer]()

    async def answer(ask: Ask) -> Answer:
        return Answer(200, ask.body)

    earlier, later = Link(lambda _note: None, never), Link(lambda _note: None, answer)
    await child.open(right)
    await earlier.open(left.dup())
    asked = asyncio.ensure_future(child.ask(Ask("POST", "/peers/ask", {}, "who?"), timeout_s=20))
    await asyncio.wait_for(heard.wait(), 5)
    earlier.close()
    await later.open(left)
    # An exec may cut a line in two.
    left.send(b'{"answer": 1, "bo')
    await later.take_over()
    assert await asked == Answer(200, "who?")
    later.close()


async def test_no_answer_to_an_earlier_image_is_taken_for_one_to_the_next() -> None:
    left, right = socket.socketpair()
    questions = asyncio.Queue[Ask]()
    free = asyncio.Event()

    async def answer(ask: Ask) -> Answer:
        questions.put_nowait(ask)
        if ask.path == "/first":
            await free.wait()
        return Answer(200, ask.path)

    child = Link(lambda _note: None, answer)
    await child.open(right)
    earlier, later = Link(lambda _note: None), Link(lambda _note: None)
    await earlier.open(left.dup())
    first = asyncio.ensure_future(earlier.ask(Ask("GET", "/first"), timeout_s=20))
    await asyncio.wait_for(questions.get(), 5)
    earlier.close()
    await later.open(left)
    await first
    free.set()
    assert (await later.ask(Ask("GET", "/second"), timeout_s=5)).body == "/second"
    later.close()
