"""A month lived twice against the local service: once without a fault, once with a trouble a day.

replay(folder, history, first, days, troubles) pulls, forecasts and verifies every day with the flow's own pull step in both homes. At
the end, after some good days, the two homes must show the same events row for row; forecasts may differ only where they say that they
are degraded, or on days of a lie that nobody can see through at once; every day has a forecast or a reason.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows.support import steps
from forecaster.catalog.coverage import STREAMS, in_streams
from forecaster.catalog.sources.usgs import UsgsClient
from forecaster.pipeline import run_context
from forecaster.pipeline.daily import predict, verify
from forecaster.pipeline.issuing import compute_issues
from forecaster.pipeline.training.train import TrainOptions
from forecaster.recipe import load_recipes
from forecaster.registry.reasons import Reason, english, other
from forecaster.settings import Settings, load_settings
from forecaster.store.database import Store, open_store
from tests.faults import compare
from tests.faults.day import without_prefect
from tests.faults.troubles import Proxy, Trouble, between
from tests.support import tiny, toy_models
from tests.support.steps import machine, train_recipes
from tests.support.toys import quake, write
from tests.support.usgs_history import VERSION_COLUMNS, History, history_from, history_of
from tests.support.usgs_server import serve

RECIPES = ("tokyo-m45", "kermadec")
GOOD_AFTER = (1, 2, 8, 9)  # days without a trouble, counted from the last: the weekly reconciliation falls among them
WARM_UP = timedelta(days=64)  # of the service's own events before the month: more than a reconciliation reads
MAX_REQUESTS = 120  # of a day, whatever happens
MAX_SECONDS = 60.0  # of a pull in trouble


@dataclass
class Day:
    """One day of one home."""

    day: date
    trouble: str
    problem: str | None
    raw_error: str | None
    forecasts: int
    reasons: dict[str, str]
    requests: int
    seconds: float


@dataclass
class Replayed:
    """Both homes' days, and everything that was not as promised."""

    good: list[Day] = field(default_factory=list)
    bad: list[Day] = field(default_factory=list)
    flagged: int = 0
    differing: int = 0
    learnt_otherwise: int = 0  # published with weights that were learnt without the degraded days; its members do not differ
    compared: int = 0
    events: int = 0
    wrong: list[str] = field(default_factory=list)


def replay(
    folder: Path,
    history: History,
    first: datetime,
    days: int,
    troubles: Sequence[Trouble],
    *,
    recipes: Sequence[str] = RECIPES,
    say: Callable[[str], None] = lambda _: None,
    until: float = float("inf"),
) -> Replayed:
    """`days` days from `first` (aware UTC), one of `troubles` each from the second on, round and round; then those of GOOD_AFTER.
    Where `until` (of the monotonic clock) comes first, the days in trouble end there."""
    result = Replayed()
    untouched = folder / "untouched"
    history = _filled(untouched, first - WARM_UP - timedelta(days=6), history)
    with pytest.MonkeyPatch.context() as patch, serve(history, clock=first) as usgs, between(usgs) as proxy:
        toy_models.put_in_place(patch)
        patch.setattr(compute_issues, "EXPLAINED_FROM", float("inf"))  # what drives a forecast costs ten of them
        without_prefect(patch)
        patch.setattr(run_context, "catalogue_source", _impatient)
        _read_up(untouched, proxy, first, recipes)
        homes = []
        for name in ("good", "bad"):
            shutil.copytree(untouched, folder / name)
            homes.append(_settings(folder / name, proxy))

        def live_both(number: int, trouble: Trouble | None) -> None:
            for settings, lived, met in zip(homes, (result.good, result.bad), (None, trouble), strict=True):
                usgs.clock = first + timedelta(days=number)
                proxy.meet(met)
                lived.append(_live(settings, usgs.clock, met, proxy))
                proxy.meet(None)
            say(f"{lived[-1].day}: {lived[-1].trouble}: {lived[-1].raw_error or lived[-1].problem or 'well'}"[:180])

        last = 0
        for number in range(days):
            if time.monotonic() > until:
                say(f"out of time after {number} of {days} days")
                break
            live_both(number, troubles[(number - 1) % len(troubles)] if number else None)
            last = number
        for after in GOOD_AFTER:
            live_both(last + after, None)
        met = {trouble.name: trouble for trouble in troubles}
        _judge(result, met, *(Store(settings.database) for settings in homes))
    return result


def _settings(home: Path, proxy: Proxy) -> Settings:
    return load_settings(home=home, recipes=home / "recipes", usgs_url=proxy.url)


def _filled(home: Path, end: datetime, history: History) -> History:
    """Two years of toy earthquakes up to `end` in a store; returns what a service tells that knows them as well as `history`."""
    store = open_store(home / "quakecast.duckdb")
    tiny.fill(store, end, sign=True, start=end - timedelta(days=700))
    write(store, *(quake(f"tk{back}", end - timedelta(days=back)) for back in range(1, 690, 9)))
    write(store, *(quake(f"km{back}", end - timedelta(days=back), 5.6, place=(-30.0, -177.8)) for back in range(1, 690, 7)))
    names = {"id": "event_id", "time": "origin_time", "updated": "updated_at", "mag": "magnitude", "magType": "magnitude_type"}
    names |= {"latitude": "latitude_deg", "longitude": "longitude_deg", "depth": "depth_km"}
    names |= {name: name for name in ("known_at", "status", "net", "place")}
    told = compare.asked(store, f"SELECT {', '.join(f'{ours} AS {theirs}' for theirs, ours in names.items())} FROM event_revision")
    known = history_of(told.to_dict("records")).versions[VERSION_COLUMNS]
    return history_from(pd.concat([known, history.versions[VERSION_COLUMNS]]))


def _read_up(home: Path, proxy: Proxy, first: datetime, recipe_ids: Sequence[str]) -> None:
    """Athens and these recipes, trained; and one pull that brings two months of the service's events, to the day before `first`."""
    for recipe_id in recipe_ids:
        tiny.write_recipe(home / "recipes", recipe_id, models='["etas", "pooled"]')
    tiny.write_tiny_recipe(home / "recipes", models='["etas", "pooled"]')
    settings, trained_at = _settings(home, proxy), first - WARM_UP - timedelta(days=6)
    clock = machine(trained_at)
    recipes = list(load_recipes(settings.recipe_folder).values())
    train_recipes(Store(settings.database), recipes, settings, clock, TrainOptions(max_minutes=1))
    proxy.usgs.clock = first - timedelta(days=1)
    proxy.meet(None)
    day = _live(settings, proxy.usgs.clock, None, proxy)
    assert day.problem is None and day.raw_error is None, day


def _impatient(work: run_context.Job) -> UsgsClient:
    """The client of a job, with time-outs for a server of this machine and no wait between tries."""
    told = {"clock": work.clock.now, "rng": np.random.default_rng(1), "timeout_s": (3.0, 3.0), "deadline_s": 5.0}
    return UsgsClient(work.settings.usgs_url, "", sleep=lambda _: None, **told)


def _live(settings: Settings, moment: datetime, trouble: Trouble | None, proxy: Proxy) -> Day:
    work = run_context.open_job(settings, machine(moment))
    done: dict[str, Any] = {"problems": []}
    before, began, raw_error = len(proxy.requests), time.monotonic(), None
    problems: tuple[Reason, ...] = ()
    try:
        problems = steps.pull(work, done)
    except Exception as error:  # noqa: BLE001 - that it came this far is the finding
        raw_error = f"{type(error).__name__}: {error}"[:300]
    if done.get("failed_steps"):  # the flow goes on after whatever error, but no error of the service is one that nobody foresaw
        raw_error = f"{done['failed_steps']}"[:300]
    problems = problems or ((other(raw_error),) if raw_error else ())
    seconds, requests = time.monotonic() - began, len(proxy.requests) - before
    said = predict.predict(work, predict.PredictOptions(problems=problems))
    verify.verify(work)
    told = english(problems) or "; ".join(done["problems"]) or None
    name = trouble.name if trouble else "none"
    return Day(moment.date(), name, told, raw_error, len(said.forecast_ids), said.not_scoreable | said.degraded, requests, seconds)


def _judge(result: Replayed, troubles: dict[str, Trouble], good: Store, bad: Store) -> None:
    one, other = (_events(store) for store in (good, bad))
    result.events = len(one)
    if one != other:
        only, missing = sorted(set(one) - set(other)), sorted(set(other) - set(one))
        result.wrong.append(f"event: {len(only)} rows only without faults, {len(missing)} only with: {only[:3]} {missing[:3]}")
    for day in result.bad:
        for true, what in (
            (day.raw_error is None, f"an unexpected error: {day.raw_error}"),
            (day.forecasts > 0 or day.reasons, "neither a forecast nor a reason"),
            (day.requests <= MAX_REQUESTS, f"{day.requests} requests"),
            (day.seconds <= MAX_SECONDS, f"the pull took {day.seconds:.0f} s"),
        ):
            if not true:
                result.wrong.append(f"{day.day}, {day.trouble}: {what}")
    _judge_forecasts(result, troubles, good, bad)


def _events(store: Store) -> list[str]:
    """The rows of the view `event` that belong to what is read completely, as text, without our own name for the event: that tells of
    joins and partings. An event that was once told above the cut and is now below it is kept by whoever saw it then."""
    rows = compare.asked(store, "SELECT * FROM event")
    place = (rows[name].to_numpy(dtype=np.float64) for name in ("latitude_deg", "longitude_deg", "magnitude"))
    kept = rows.loc[in_streams(list(STREAMS), *place), [name for name in rows.columns if name not in (*compare.CLOCKED, "event_key")]]
    return sorted("|".join(map(str, row)) for row in kept.itertuples(index=False, name=None))


def _judge_forecasts(result: Replayed, troubles: dict[str, Trouble], good: Store, bad: Store) -> None:
    sql = (
        "SELECT recipe_id, issue_time, model_kind, probability, degraded, official, details->>'weights' AS weights FROM forecast "
        "WHERE method = 'daily' AND mode = 'prospective' ORDER BY ALL"
    )
    key = ["recipe_id", "issue_time", "model_kind"]
    both = compare.asked(good, sql).merge(compare.asked(bad, sql), on=key, how="outer", suffixes=("_good", "_bad"))
    trouble = {day.day: troubles.get(day.trouble) for day in result.bad}
    result.compared, result.flagged = len(both), int(both["degraded_bad"].fillna(False).astype(bool).sum())
    lied = False
    for row in both.sort_values("issue_time").to_dict("records"):
        day = row["issue_time"].date()
        met = trouble.get(day)
        lied = lied or (met is not None and met.expected == "believed")
        if abs(row["probability_good"] - row["probability_bad"]) <= 1e-12:
            if row["degraded_bad"] == row["degraded_good"] and met is not None and met.expected == "told":
                result.wrong.append(f"{day}, {met.name}: the forecast of {row['recipe_id']} does not say that it is degraded")
            continue
        result.differing += 1
        if row["model_kind"] == "published" and row["weights_good"] != row["weights_bad"]:
            result.learnt_otherwise += 1  # degraded days are not official, and teach no weights
            continue
        if row["degraded_bad"] is not True and not (met is not None and met.expected == "believed"):
            name = met.name if met else "none"
            change = f"{row['probability_good']:.4f} became {row['probability_bad']:.4f}"
            result.wrong.append(f"{day}, {name}: {row['recipe_id']} {row['model_kind']} {change} and does not say why")
