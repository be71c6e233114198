"""A home as it is after years of daily runs, made from one real day: its rows, shifted day by day in SQL; its pages, as links to one file.

    python -m tests.support.grown_home FOLDER DAYS

Every recipe has a forecast a day of each kind that the real day has, with its ladder, outcomes and scores; each day has PULLS reads,
requests and runs, PAGES pages, messages that were sent, and once a week learnt weights. What is older than the settings keep has left. The
last 45 days are settled by the real `verify`, so that nothing is left over for the day that is measured.
"""

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from forecaster.pipeline.daily import publish_report
from forecaster.pipeline.run_context import Job, open_job, publish_copy
from forecaster.pipeline.tidy import tidy
from forecaster.settings import Settings, load_settings
from forecaster.store.database import Connection
from forecaster.store.targets import note_targets
from tests.support.steps import machine, predict, verify

NOW = datetime(2023, 12, 26, 9, tzinfo=UTC)
PULLS, PAGES = 14, 28
DAY = timedelta(days=1)

_SHIFTED = "((f.{0} AT TIME ZONE t.time_zone) - d.day * INTERVAL 1 DAY) AT TIME ZONE t.time_zone"
_FORECASTS = f"""
    INSERT INTO forecast SELECT f.* REPLACE (
        md5(f.forecast_id || d.day)[:24] AS forecast_id, {_SHIFTED.format("target_start")} AS target_start,
        {_SHIFTED.format("target_end")} AS target_end, f.issue_time - d.day * INTERVAL 1 DAY AS issue_time,
        f.as_of - d.day * INTERVAL 1 DAY AS as_of, f.created_at - d.day * INTERVAL 1 DAY AS created_at,
        greatest(1e-6, least(0.99, f.probability * (0.5 + (hash(f.recipe_id, d.day) % 1000) / 1000))) AS probability,
        md5('run' || d.day)[:16] AS run_id)
    FROM forecast f JOIN target t USING (recipe_id, target_hash), range(1, $days + 1) d(day) ORDER BY d.day DESC"""
_OUTCOMES = """
    INSERT INTO outcome SELECT recipe_id, target_start, any_value(target_end), target_hash, happened, happened::BIGINT,
        CASE WHEN happened THEN 5.1 END, 'final', any_value(target_end) + INTERVAL 46 DAY, false, NULL
    FROM (SELECT *, hash(recipe_id, target_start) % 1000 < 1000 * reference_probability AS happened FROM forecast
          WHERE target_end < $now::TIMESTAMPTZ - INTERVAL 46 DAY) GROUP BY recipe_id, target_start, target_hash, happened"""
_RUNGS = f"""
    INSERT INTO rung SELECT r.* REPLACE (md5(r.forecast_id || d.day)[:24] AS forecast_id,
        {_SHIFTED.format("window_end").replace("f.window_end", "r.window_end")} AS window_end)
    FROM rung r JOIN forecast f USING (forecast_id) JOIN target t USING (recipe_id, target_hash), range(1, $days + 1) d(day)
    ORDER BY d.day DESC"""
_RUNG_OUTCOMES = """
    INSERT INTO rung_outcome SELECT recipe_id, target_hash, target_start, horizon_days, magnitude, window_end, happened, happened::BIGINT,
        'final', window_end + INTERVAL 46 DAY
    FROM (SELECT r.*, f.recipe_id, f.target_hash, f.target_start,
              hash(recipe_id, target_start, horizon_days, magnitude) % 1000 < 1000 * r.reference_probability AS happened
          FROM rung r JOIN forecast f USING (forecast_id) WHERE window_end < $now::TIMESTAMPTZ - INTERVAL 46 DAY)
    ORDER BY target_start"""
_SCORES = """
    INSERT INTO score SELECT f.forecast_id, f.recipe_id, f.target_start, f.mode, o.happened, 'final',
        ln(CASE WHEN o.happened THEN probability ELSE 1 - probability END),
        ln(CASE WHEN o.happened THEN reference_probability ELSE 1 - reference_probability END),
        (probability - o.happened::INTEGER) ** 2, o.as_of
    FROM forecast f JOIN outcome o USING (recipe_id, target_start, target_hash)"""
_READS = """
    INSERT INTO coverage_read SELECT stream, min_latitude_deg, max_latitude_deg, min_longitude_deg, max_longitude_deg, min_magnitude,
        moment - to_seconds(6171), moment, moment, 'usgs changes'
    FROM (SELECT *, $now::TIMESTAMPTZ - to_seconds(6171 * n) AS moment FROM coverage, range(1, $days * $pulls) r(n)) ORDER BY moment;
    DELETE FROM coverage;
    INSERT INTO coverage SELECT * FROM coverage_as_of($now::TIMESTAMPTZ)"""
_REQUESTS = """
    INSERT INTO fetch_log BY NAME SELECT md5('run' || (n // $pulls))[:16] AS run_id,
        $now::TIMESTAMPTZ - to_seconds(6171 * n) AS requested_at,
        'https://earthquake.usgs.gov/fdsnws/event/1/query?format=geojson&minmagnitude=3.0&updatedafter=' || n AS url,
        200 AS status, 40 AS rows, 30000 AS bytes, 0.8 AS elapsed_s FROM range($days * $pulls * 2) r(n)"""
_RUNS = """
    INSERT INTO run BY NAME SELECT md5('run' || n)[:16] AS run_id, 'daily' AS kind, $now::TIMESTAMPTZ - to_seconds(6171 * n) AS started_at,
        $now::TIMESTAMPTZ - to_seconds(6171 * n) + INTERVAL 1 MINUTE AS finished_at, 'success' AS state, '0' AS code_version,
        json_object('run_id', n, 'problems', [], 'pages', ['reports/2023-01-01T0000Z.en.html'], 'text', repeat('x', 1500)) AS details
    FROM range(1, $days * $pulls) r(n)"""
_REPORTS = """
    INSERT INTO report BY NAME SELECT md5('report' || n)[:24] AS report_id, $now::TIMESTAMPTZ - to_seconds(6171 * n) AS issue_time,
        'live' AS mode, 'reports/' || n || '.en.html' AS path, sha256('report' || n) AS forecasts_sha256,
        $now::TIMESTAMPTZ - to_seconds(6171 * n) AS created_at FROM range(1, $days * $pulls) r(n)"""
_DELIVERIES = """
    INSERT INTO delivery SELECT md5('delivery' || n), md5('report' || n)[:24], 'report', 'webhook', 'webhook', 'sent', 1, NULL,
        $now::TIMESTAMPTZ - n * INTERVAL 6 HOUR, NULL, $now::TIMESTAMPTZ - n * INTERVAL 6 HOUR FROM range(1, $days * 4) r(n)"""
_ALERTS = """
    INSERT INTO alert BY NAME SELECT 'alert' || d.day AS alert_id, 'forecast' AS kind, 'high' AS rule, recipe_id, target_hash, mode,
        'warning' AS severity, 'cleared' AS state, 'told' AS message, 'reason' AS reason, issue_time AS raised_at, issue_time AS held_until,
        forecast_id, target_start, target_end, probability, reference_probability, 3.0 AS ratio, forecast_id AS last_forecast_id,
        target_start AS last_target_start, target_end AS last_target_end, target_end AS cleared_at, target_end AS cleared_for,
        'below' AS cleared_reason,
        'thread' || d.day AS thread_id, '{}' AS bounds
    FROM range(7, $days, 7) d(day) JOIN forecast f ON f.run_id = md5('run' || d.day)[:16]
    WHERE f.published QUALIFY row_number() OVER (PARTITION BY d.day ORDER BY recipe_id) = 1"""
_WEIGHTS = """
    INSERT INTO combination SELECT scope, target_hash, number + w.week, base,
        since - w.week * INTERVAL 7 DAY, weights, belief, rate_only, reason,
        numbers, code_version FROM combination, range(1, $days // 7) w(week)"""


def grow(settings: Settings, days: int) -> Job:
    """The job of a home with a forecast for each of `days` days before that of NOW, all settled; nothing for NOW's own."""
    clock = machine(NOW - DAY)
    job = open_job(settings, clock, known_by=NOW)
    said = predict(job.store, job.recipes, settings, clock, run_id="template")
    assert len(said.not_scoreable) < 3, said.not_scoreable
    written = publish_report.write_report(job, ("en", "ja"))
    with job.store.transaction() as connection:
        note_targets(connection, job.recipes)
        for sql in (_FORECASTS, _OUTCOMES, _RUNGS, _RUNG_OUTCOMES, _SCORES, _READS, _REQUESTS, _RUNS, _REPORTS, _DELIVERIES, _ALERTS):
            _execute(connection, sql, days)
    tidy(replace(job, clock=machine(NOW)))
    verify(job.store, job.recipes, machine(NOW - timedelta(hours=1)))
    with job.store.transaction() as connection:
        _execute(connection, _WEIGHTS, days)
    _link_pages(written.pages, days)
    now = replace(job, clock=machine(NOW))
    publish_copy(now)
    return now


def _execute(connection: Connection, sql: str, days: int) -> None:
    values = {"days": days, "now": NOW, "pulls": PULLS}
    for statement in sql.split(";"):
        connection.execute(statement, {name: value for name, value in values.items() if f"${name}" in statement})


def _link_pages(made: list[Path], days: int) -> None:
    """The pages that `tidy` leaves: of 35 days all of them, then the last of each day, for 400 days. One file is all of a language."""
    for page in made:
        language = page.name.split(".")[-2]
        for day in range(1, min(days, 400)):
            for number in range(PAGES // len(made) if day <= 35 else 1):
                moment = NOW - DAY - day * DAY - number * timedelta(minutes=100)
                os.link(page, page.with_name(f"{moment:%Y-%m-%dT%H%MZ}.{language}.html"))


if __name__ == "__main__":
    grow(load_settings(home=Path(sys.argv[1])), int(sys.argv[2]))
