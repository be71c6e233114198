"""Two months of replayed forecasts around New Year 2024 in a small store, with every kind of revision that can turn an outcome round.

Recipes niigata-m45 and tokyo-m45, a row a day of `climatology` (the usual rate) and of `etas`, which here says four times the usual rate
on the two days after a day with a target earthquake, half of it else. Of niigata etas is published from 2023-12-20 on. Outcomes and scores
are made by the real `verify`, at five moments. There are, too: a prospective forecast with a re-issue, a late one, a re-issue of a replay,
and a hindcast by a model that had seen the day, with a score that it should never have been given.
"""

from datetime import UTC, date, datetime, timedelta

from forecaster.clock import Clock
from forecaster.recipe import Recipe
from forecaster.settings import Settings
from forecaster.store import ledger
from forecaster.store.database import Connection, Store, open_store
from forecaster.store.targets import note_targets
from forecaster.store.versions import catalogue
from forecaster.timewindow import local_day
from tests.support.forecast_rows import forecast_row
from tests.support.steps import verify
from tests.support.toys import TOKYO, cover, quake, write

DAY = timedelta(days=1)
FIRST_DAY, LAST_DAY = date(2023, 11, 21), date(2024, 1, 26)
SETTLED = [datetime(2023, month, day, 9, tzinfo=UTC) for month, day in ((12, 5), (12, 9), (12, 25))]
SETTLED += [datetime(2024, 1, day, 9, tzinfo=UTC) for day in (12, 26)]
PUBLISHED_SINCE = date(2023, 12, 20)
USUAL = {"niigata-m45": 0.0125, "tokyo-m45": 0.075}
NIIGATA = (37.9, 139.0)
FAR = (30.0, 139.8)  # 630 km from Tokyo


def noon(month: int, day: int, year: int = 2024) -> datetime:
    """03:00 UTC: noon in Japan."""
    return datetime(year, month, day, 3, tzinfo=UTC)


def events() -> list[dict]:
    """Versions in the order in which they became known; ids say what becomes of them."""
    sequence = [quake(f"noto{n}", noon(1, 1) + n * timedelta(hours=5), 5.6, place=NIIGATA) for n in range(6)]
    weekly = [quake(f"tokyo{n}", noon(11, 22, 2023) + 7 * n * DAY, 4.8) for n in range(5)]
    dates = {"late": noon(11, 28, 2023), "weaker": noon(11, 30, 2023), "moved": noon(12, 2, 2023), "gone": noon(12, 4, 2023)}
    shifted = datetime(2023, 12, 7, 14, 59, 50, tzinfo=UTC)  # ten seconds before midnight in Tokyo
    turned = [
        quake("late", dates["late"], 4.6, known=dates["late"] + 20 * DAY),
        quake("weaker", dates["weaker"], 4.5),
        quake("weaker", dates["weaker"], 4.3, known=dates["weaker"] + 10 * DAY),
        quake("moved", dates["moved"], 4.9),
        quake("moved", dates["moved"], 4.9, place=FAR, known=dates["moved"] + 12 * DAY),
        quake("gone", dates["gone"], 4.7),
        quake("gone", dates["gone"], 4.7, known=dates["gone"] + 9 * DAY, status="deleted"),
        quake("shifted", shifted, 4.6),
        quake("shifted", shifted + timedelta(seconds=20), 4.6, known=shifted + 15 * DAY),
    ]
    twins = [
        quake("twin1", noon(12, 15, 2023), 4.4, place=FAR),
        quake("twin2", noon(12, 15, 2023) + timedelta(seconds=1), 4.5, place=FAR),
        quake("twin2", noon(12, 15, 2023), 4.6, place=FAR, known=noon(12, 16, 2023), ids=["twin2", "twin1"]),
    ]
    before = [quake(f"old{n}", datetime(2021, 3, 1, tzinfo=UTC) + n * 40 * DAY, 5.0, place=TOKYO if n % 2 else NIIGATA) for n in range(24)]
    return before + sequence + weekly + turned + twins


def fill(settings: Settings, recipes: dict[str, Recipe]) -> Store:
    """Make the store of these settings."""
    store = open_store(settings.database)
    chosen = [recipes["niigata-m45"], recipes["tokyo-m45"]]
    *first, joined = events()
    write(store, *first)
    write(store, joined)  # it names two events that were stored apart
    with store.transaction() as connection:
        note_targets(connection, chosen)
        ledger.insert(connection, "forecast", [row for recipe in chosen for row in _replayed(recipe)] + _others(recipes["tokyo-m45"]))
        _runs(connection)
    for moment in SETTLED:
        cover(store, moment, source="usgs changes")
        verify(store, chosen, Clock.standing_at(moment))
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO score SELECT forecast_id, f.recipe_id, f.target_start, f.mode, happened, status, -0.01, -2.5, 0.0001, o.as_of "
            "FROM forecast f JOIN outcome o USING (recipe_id, target_start, target_hash) WHERE f.in_sample"
        )
    return store


def _replayed(recipe: Recipe) -> list[dict]:
    usual = USUAL[recipe.id]
    own_ids = "noto" if recipe.id == "niigata-m45" else ""
    shaken = {local_day(row["origin_time"], recipe.zone) for row in events() if row["event_id"].startswith("noto") == bool(own_ids)}
    rows = []
    for ahead in range((LAST_DAY - FIRST_DAY).days + 1):
        day = FIRST_DAY + ahead * DAY
        said = 4 * usual if {day - DAY, day - 2 * DAY} & shaken else usual / 2
        etas = recipe.id == "niigata-m45" and day >= PUBLISHED_SINCE
        rows += [_row(recipe, day, "climatology", usual, published=not etas), _row(recipe, day, "etas", said, published=etas)]
    again = {"forecast_id": "again", "issue_time": rows[0]["issue_time"] + timedelta(hours=1), "probability": 0.08, "supersedes": "first"}
    return [*rows, rows[0] | again] if recipe.id == "tokyo-m45" else rows


def _others(recipe: Recipe) -> list[dict]:
    """The modes and methods that must not enter the figures of the replay."""
    day = date(2024, 1, 24)
    first = _row(recipe, day, "climatology", 0.07, published=True)
    start = first["target_start"]
    prospective = {"mode": "prospective", "issue_time": start - timedelta(hours=9), "official": True, "forecast_id": "official"}
    reissue = {"mode": "prospective", "issue_time": start - timedelta(hours=1), "forecast_id": "reissue", "supersedes": "official"}
    late = {"mode": "late", "issue_time": start + timedelta(hours=2), "forecast_id": "late", "degraded": True, "degraded_reason": "a test"}
    seen = {"mode": "hindcast", "method": "current-model", "in_sample": True, "probability": 0.99, "forecast_id": "seen"}
    return [
        first | prospective,
        first | reissue | {"probability": 0.09},
        first | late,
        _row(recipe, FIRST_DAY, "etas", 0.5, published=True) | seen,
    ]


def _row(recipe: Recipe, day: date, kind: str, probability: float, *, published: bool) -> dict:
    window = recipe.target_window(day)
    said = {"probability": probability, "reference_probability": USUAL[recipe.id], "published": published}
    made = {"forecast_id": f"{recipe.id}-{kind}-{day}", "model_id": f"{recipe.id}-{kind}", "model_kind": kind, "run_id": f"{day}"}
    stamp = {"mode": "replay", "official": False, "data_age_hours": 0.5}
    return forecast_row(recipe, window, window.start - timedelta(hours=6), **said, **made, **stamp)


def _runs(connection: Connection) -> None:
    for number in range((LAST_DAY - FIRST_DAY).days + 1):
        day = FIRST_DAY + number * DAY
        began = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        ledger.start_run(connection, {"run_id": f"{day}", "kind": "daily", "started_at": began, "code_version": "0"})
        state, problems = ("partial", ["pull: a test"]) if day.day == 24 else ("success", [])
        if day < LAST_DAY:
            ledger.finish_run(connection, f"{day}", began + timedelta(minutes=4), state, {"problems": problems, "forecasts": 4})
        answers = [_request(began, 200), _request(began, 404 if number % 2 else 503)]
        catalogue.write_fetch_log(connection, answers, f"{day}")


def _request(moment: datetime, status: int) -> dict:
    return {"requested_at": moment, "url": "/query", "status": status, "rows": 1, "bytes": 100, "elapsed_s": 0.1, "note": ""}
