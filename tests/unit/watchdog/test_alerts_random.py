"""The alert book through anything: trouble that comes and goes at random, a clock that is set, a watchdog that is killed, channels that fail. What people hear makes sense."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from watchdog.alerts import Book, News
from watchdog.model import Finding, Severity

REPEAT, CLEAR = 3600.0, 30.0
STEPS = st.one_of(
    st.tuples(st.just("look"), st.sampled_from([1.0, 10.0, 40.0, 400.0]), st.sets(st.sampled_from("abc"))),
    st.tuples(st.just("set the clock"), st.sampled_from([-1e6, -100.0, 100.0, 1e6]), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
    st.tuples(st.just("send"), st.sampled_from(["mail", "sms"]), st.none()),
)


class World:
    """The book, its clocks, and what each channel's readers have heard last of each key."""

    def __init__(self, folder: str) -> None:
        self.path = str(Path(folder) / "alerts.json")
        self.at, self.now = 1_800_000_000.0, 0.0
        self.heard: dict[tuple[str, str], News] = {}
        self.book = self.opened()

    def opened(self) -> Book:
        book = Book(self.path, REPEAT, CLEAR)
        book.channels = ("mail", "sms")
        return book

    def restart(self) -> None:
        self.book.save()
        self.book = self.opened()

    def look(self, seconds: float, keys: set[str]) -> None:
        self.at, self.now = self.at + seconds, self.now + seconds
        findings = [
            Finding(key, f"{key} is wrong", Severity.CRITICAL if key == "a" else Severity.WARNING) for key in keys
        ]
        self.book.update(findings, self.at, self.now)

    def send(self, channel: str) -> None:
        due = self.book.due(channel, summary=channel == "mail")
        self.book.tell(channel, due)
        for notice in due:
            key, before = (channel, notice.alert.key), self.heard.get((channel, notice.alert.key), News.CLEARED)
            if notice.news in (News.REPEATED, News.WORSE):
                assert before is not News.CLEARED, "nobody is reminded of what he has not heard of"
            if notice.news is News.CLEARED and channel == "sms":
                assert before is not News.CLEARED, "nobody hears the end of what he has not heard of"
            self.heard[key] = notice.news
        assert self.book.due(channel, summary=channel == "mail") == []


@given(st.lists(STEPS, max_size=40))
def test_what_people_hear_makes_sense(steps: list[tuple[str, object, object]]) -> None:
    with TemporaryDirectory() as folder:
        world = World(folder)
        for what, argument, keys in steps:
            if what == "look":
                world.look(argument, keys)  # type: ignore[arg-type]
            elif what == "send":
                world.send(argument)  # type: ignore[arg-type]
            elif what == "restart":
                world.restart()
            else:
                world.at += argument  # type: ignore[operator]
        # no silence: what stands now is known to everybody, and what is over too
        world.look(1.0, {"a"})
        for channel in world.book.channels:
            world.send(channel)
            assert world.heard[channel, "a"] is not News.CLEARED
        # and it is repeated in time, whatever the clock was set to
        world.look(REPEAT, {"a"})
        assert all(world.book.due(channel) for channel in world.book.channels)
        for seconds in (1.0, 3600.0, 3600.0):
            world.look(seconds, set())
        for channel in world.book.channels:
            world.send(channel)
            assert {news for (name, _), news in world.heard.items() if name == channel} == {News.CLEARED}
        assert world.book.standing() == []
        world.book.save()


@given(
    st.lists(
        st.tuples(st.sampled_from([1.0, 5.0, 20.0, 29.0, 31.0, 90.0, 700.0]), st.booleans()), min_size=1, max_size=200
    )
)
def test_no_storm_however_it_flaps(looks: list[tuple[float, bool]]) -> None:
    with TemporaryDirectory() as folder:
        world = World(folder)
        told = 0
        for seconds, there in looks:
            world.look(seconds, {"b"} if there else set())
            told += len(world.book.due("mail"))
            world.send("mail")
        hours = sum(seconds for seconds, _ in looks) / 3600
        # nine rounds until it must be away for an hour; then one an hour at most, and the repetitions
        assert told <= 2 * 9 + 3 * (hours + 1)
        world.book.save()
