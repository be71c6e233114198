"""Days that are killed again and again, and what must be true of the home in the end.

kill_days(world, days=20, kills=200, seed=1) lives the same days twice: in one home nobody is killed; in the other each day is begun anew,
eleven minutes later, after every SIGKILL, until its share of the kills is used up. A kill falls at one boundary after the other
(`tests.faults.day`), at random moments, and just after a receiver has said yes.
"""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from forecaster.errors import QuakecastError
from forecaster.notify.channels.mail_building import message_id
from forecaster.store.database import Store, query
from tests.faults import compare, day, receivers
from tests.faults.world import ATTEMPT, FIRST, World

ALIVE_S = 600.0  # a day that lasts longer hangs, also beside much other work
Kind = Literal["boundary", "random", "webhook", "email"]


@dataclass
class Killed:
    """What happened: kills by kind and step, attempts in all, and everything that was not as promised."""

    kills: Counter[str] = field(default_factory=Counter)
    days: int = 0
    boundaries: int = 0
    attempts: int = 0
    missed: int = 0
    sent_again_as_documented: int = 0
    messages: int = 0
    interrupted: Counter[str] = field(default_factory=Counter)  # by the id that the receiver sees
    wrong: list[str] = field(default_factory=list)

    def expect(self, true: bool, what: str) -> None:
        if not true:
            self.wrong.append(what)


def plan(kills: int, boundaries: int, seed: int) -> list[tuple[Kind, float]]:
    """`kills` deaths: half at boundaries spread over all of them, a sixth after each receiver's yes, the rest at random parts of a day."""
    rng = np.random.default_rng(seed)
    at_boundaries, after_yes = kills // 2, max(1, kills // 6)
    step = boundaries / max(1, at_boundaries)
    told: list[tuple[Kind, float]] = [("boundary", int(1 + number * step)) for number in range(at_boundaries)]
    told += [("webhook", 0.0)] * after_yes + [("email", 0.0)] * after_yes
    told += [("random", float(rng.uniform(0.0, 1.0))) for _ in range(kills - len(told))]
    return [told[int(number)] for number in rng.permutation(len(told))]


def kill_days(
    world: World, days: int, kills: int, seed: int, say: Callable[[str], None] = lambda _: None, until: float = float("inf")
) -> Killed:
    """Live `days` days with and without `kills` kills, or as many as fit until the monotonic clock says `until`; compare what is there."""
    result = Killed()
    alone, told = world.settled_in("undisturbed"), world.settled_in("killed")
    deaths: list[tuple[Kind, float]] = []
    day_s = 0.0
    for number in range(days):
        if time.monotonic() > until:
            say(f"out of time after {number} of {days} days")
            break
        moment, before, began = FIRST + timedelta(days=number), len(world.book.received), time.monotonic()
        note = _live(world, alone, moment)
        day_s = time.monotonic() - began
        del world.book.received[before:]  # of the undisturbed home
        result.boundaries, result.days = max(result.boundaries, len(note["passed"])), number + 1
        deaths = deaths or plan(kills, result.boundaries, seed)
        for death in deaths[number * len(deaths) // days : (number + 1) * len(deaths) // days]:
            result.attempts += 1
            _one_death(world, told, moment, death, day_s, result)
            _still_whole(Path(told["home"]), result)
            _note_interrupted(told, result)
            moment += ATTEMPT
        result.attempts += 1
        try:
            _live(world, told, moment)  # also sends what was being sent when the last attempt died
        except RuntimeError as error:
            result.wrong.append(f"day {number + 1}: {error}")
        say(f"day {number + 1} of {days}: {sum(result.kills.values())} kills, {day_s:.1f} s undisturbed, faults: {result.wrong}")
    _judge(world, alone, told, result)
    return result


def overlap_days(world: World, days: int, seed: int, *, say: Callable[[str], None] = lambda _: None, until: float = float("inf")) -> Killed:
    """Two runs at once, every day: at the same moment or a second apart; on every third day one of them is killed on its way."""
    result, told, draw = Killed(), world.settled_in("overlapping"), np.random.default_rng(seed)
    for number in range(days):
        if time.monotonic() > until:
            result.wrong.append(f"out of time on day {number + 1} of {days}")
            break
        moment = FIRST + timedelta(days=number)
        world.usgs.clock = moment
        pair = [day.start(told, moment + timedelta(seconds=late)) for late in (0, number % 2)]
        if number % 3 == 2:
            pair[0].join(float(draw.uniform(0.2, 3.0)))
            receivers.kill(pair[0].pid)
        for process in pair:
            process.join(ALIVE_S)
            result.attempts += 1
            result.kills["random"] += process.exitcode == -signal.SIGKILL
            result.expect(process.exitcode in (0, -signal.SIGKILL), f"day {number + 1}: a run ended with {process.exitcode}")
        _live(world, told, moment + ATTEMPT)
        say(f"day {number + 1} of {days}: {len(result.wrong)} faults")
    store = Store(Path(told["home"]) / "quakecast.duckdb")
    result.wrong += [f"{count} {name} stand there twice" for name, count in compare.doubled(store).items()]
    result.wrong += compare.broken_files(Path(told["home"]))
    runs = compare.asked(store, "SELECT state FROM run")["state"]
    result.expect(int((runs == "failed").sum()) <= result.kills["random"], f"{(runs == 'failed').sum()} runs are marked as failed")
    _judge_messages(world, store, result)
    reports = compare.asked(store, "SELECT count(*) AS n FROM delivery WHERE subject_kind = 'report' AND state = 'sent'")["n"].item()
    result.expect(reports == 3 * days, f"{reports} reports were sent on {days} days to three recipients")
    return result


def _one_death(world: World, told: dict[str, Any], moment: datetime, death: tuple[Kind, float], day_s: float, result: Killed) -> None:
    kind, value = death
    world.usgs.clock = moment
    process = day.start(told, moment, int(value) if kind == "boundary" else None)
    if kind in ("webhook", "email"):
        world.book.channel, world.book.victim = kind, process.pid
    elif kind == "random":
        process.join(value * day_s)
        receivers.kill(process.pid)
    process.join(ALIVE_S)
    world.book.victim = None
    if process.is_alive():
        receivers.kill(process.pid)
        result.wrong.append(f"{moment}: hangs for {ALIVE_S:.0f} s ({kind} {value})")
    elif process.exitcode == -signal.SIGKILL:
        result.kills[kind] += 1
    elif process.exitcode == 0:
        result.missed += 1  # over before the moment came
    else:
        result.wrong.append(f"{moment}: ended with {process.exitcode} ({kind} {value})")


def _live(world: World, told: dict[str, Any], moment: datetime) -> dict[str, Any]:
    """A day to its end; what it noted."""
    world.usgs.clock = moment
    note = Path(told["note"])
    note.unlink(missing_ok=True)
    process = day.start(told, moment)
    process.join(ALIVE_S)
    if not note.is_file():
        receivers.kill(process.pid)
        raise RuntimeError(f"the day at {moment} ended with {process.exitcode}")
    found: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    return found


def _still_whole(home: Path, result: Killed) -> None:
    """After each kill: the published copy opens and is complete, no page and no JSON is half there."""
    published = home / "published" / "quakecast.duckdb"
    if published.exists():
        try:
            query(published, "SELECT count(*) FROM v_forecast")
        except QuakecastError as error:
            result.wrong.append(f"the published copy cannot be read: {error}")
    result.wrong += [fault for fault in compare.broken_files(home) if "left over" not in fault]


def _note_interrupted(told: dict[str, Any], result: Killed) -> None:
    """Messages that were being sent when the process died: these, and no others, may come once more."""
    database = Path(told["home"]) / "quakecast.duckdb"
    if not database.exists():
        return
    rows = compare.asked(Store(database), "SELECT delivery_id, subject_id, channel FROM delivery WHERE state = 'sending'")
    for row in rows.to_dict("records"):
        mail = row["channel"] == "email"
        result.interrupted[message_id(row["subject_id"], told["mail_from"]) if mail else row["delivery_id"]] += 1


def _judge(world: World, alone: dict[str, Any], told: dict[str, Any], result: Killed) -> None:
    home = Path(told["home"])
    store, undisturbed = Store(home / "quakecast.duckdb"), Store(Path(alone["home"]) / "quakecast.duckdb")
    for name, found in compare.differences(undisturbed, store).items():
        result.wrong.append(f"{name}: {found}")
    result.wrong += [f"{count} {name} stand there twice" for name, count in compare.doubled(store).items()]
    result.wrong += compare.broken_files(home)
    runs = compare.asked(store, "SELECT state, details FROM run")
    result.expect(not (runs["state"] == "running").any(), "a run is still marked as running")
    failed = runs.loc[runs["state"] == "failed", "details"]
    result.expect(bool(failed.str.contains("without reporting").all()), "a failed run does not say why")
    told_of = compare.asked(store, "SELECT count(*) AS n FROM message WHERE kind = 'operations'")["n"].item()
    result.expect(len(failed) == 0 or told_of > 0, f"{len(failed)} runs died and nobody was told")
    _judge_messages(world, store, result)


def _judge_messages(world: World, store: Store, result: Killed) -> None:
    """Everything marked as sent came, once; again only where the sender was killed after the yes, and then the same."""
    received = world.book.received
    result.messages = len(received)
    counts = Counter((message.message_id, message.to) for message in received)
    for (name, to), count in counts.items():
        if count > 1:
            contents = {message.content for message in received if (message.message_id, message.to) == (name, to)}
            deaths = result.interrupted[name]
            result.expect(count <= 1 + deaths, f"{name} came {count} times to {to}, the sender died {deaths} times while it was sent")
            result.expect(len(contents) == 1, f"{name} came with other content the second time")
            result.sent_again_as_documented += count - 1
    rows = compare.asked(store, "SELECT channel, state, attempts, delivery_id, subject_id, subject_kind FROM delivery")
    sent = rows[rows["state"] == "sent"]
    result.expect(set(rows["state"]) <= {"sent", "closed"}, f"deliveries are left {sorted(set(rows['state']))}")
    hooked = {message.message_id for message in received if message.channel == "webhook"}
    lost = set(sent.loc[sent["channel"] == "webhook", "delivery_id"]) - hooked
    result.expect(not lost, f"{len(lost)} webhooks are marked as sent and never came")
    mails = len({(message.message_id, message.to) for message in received if message.channel == "email"})
    marked, tried = (int((some["channel"] == "email").sum()) for some in (sent, rows[rows["attempts"] > 0]))
    result.expect(marked <= mails <= tried, f"{marked} mails are marked as sent, {tried} were tried, {mails} came under ids of their own")
    reports = int((sent["subject_kind"] == "report").sum())
    official = compare.asked(store, "SELECT count(DISTINCT target_start::DATE) AS n FROM forecast WHERE official")["n"].item()
    result.expect(reports >= 3, f"{reports} reports were sent over {official} days")
