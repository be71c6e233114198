"""A copy of the project with the examples of docs/EXTENDING.md, put in as the page says; and the day's steps with all of them.

python -m tests.support.extended HOME    in an environment whose PYTHONPATH begins with the copy; says what came of it as JSON
"""

import json
import re
import shutil
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATA = ("forecaster/catalog/data", "forecaster/models/data", "forecaster/reports/data")
COPIED = ("forecaster", "flows", "templates", "recipes")
NEW_FILE = re.compile(r"^New file `([^`]+)`:\n```\w+\n(.*?)^```", re.M | re.S)
ONE_LINE = re.compile(r"^In `([^`]+)`, below `([^`]+)`:\n```diff\n\+(.*?)^```", re.M | re.S)
NOW = datetime(2024, 1, 28, 12, tzinfo=UTC)
RULE = '\n[[alerts]]\nname = "toy"\ntype = "either"\nprobability = 0.0001\nratio = 1000\n'  # no forecast reaches both
OFFICIAL = {"mode": "prospective", "official": True, "published": False}
BULLETIN = """event_id,origin_time,updated_at,latitude_deg,longitude_deg,depth_km,magnitude
own1,2024-01-02T03:04:05Z,2024-01-02T03:10:00Z,38,23.7,9,5.1
"""


def extend(folder: Path) -> dict[str, list[str]]:
    """Copy the project to `folder` and add what docs/EXTENDING.md says; returns by section the files that it touches."""
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", *("data" for _ in DATA))
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in DATA:
        (folder / name).symlink_to(ROOT / name)
    (folder / "deployments").mkdir()
    shutil.copy(ROOT / "deployments" / "prefect.yaml", folder / "deployments")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("*.md", "*.png"))
    touched: dict[str, list[str]] = {}
    for section in (ROOT / "docs" / "EXTENDING.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        files = touched[section.partition("\n")[0]] = []
        for path, content in NEW_FILE.findall(section):
            assert not (folder / path).exists(), f"{path} is no new file"
            (folder / path).write_text(content, encoding="utf-8")
            files.append(path)
        for path, anchor, line in ONE_LINE.findall(section):
            text = (folder / path).read_text(encoding="utf-8")
            assert text.count(f"\n{anchor}\n") == 1, f"{anchor!r} is not one line of {path}"
            assert line.count("\n") == 1, f"{line!r} is not one line"
            (folder / path).write_text(text.replace(f"\n{anchor}\n", f"\n{anchor}\n{line}"), encoding="utf-8")
            files.append(path)
    return touched


def main(home: Path) -> dict[str, Any]:
    """What the day's steps make of a small world with the examples."""
    from flows import fresh_copy
    from flows.next_runs import next_runs
    from flows.support.deploying import deployment_file
    from forecaster.clock import Clock
    from forecaster.pipeline import run_context
    from forecaster.pipeline.alerting.raise_alerts import raise_alerts
    from forecaster.pipeline.daily.publish_report import write_report
    from forecaster.pipeline.daily.pull import pull_catalog
    from forecaster.pipeline.messaging import deliver
    from forecaster.pipeline.training.train import TrainOptions
    from forecaster.pipeline.training.weekly_weights import relearn
    from forecaster.recipe import load_recipes
    from forecaster.reports.outgoing.mails import render_email
    from forecaster.settings import load_settings
    from forecaster.store.database import open_store
    from tests.support import tiny
    from tests.support.alert_world import walked
    from tests.support.sample_report import sample_report
    from tests.support.steps import predict, train_recipes
    from tests.support.toys import table

    settings = load_settings(home=home, recipes=home / "recipes")
    path = tiny.write_tiny_recipe(home / "recipes", models='["share"]')
    text = path.read_text(encoding="utf-8").partition("[[alerts]]")[0]
    path.write_text(f'publishing_rule = "best_member"\n{text}{RULE}', encoding="utf-8")
    (recipe,) = load_recipes(home / "recipes").values()
    store = open_store(settings.database)
    tiny.fill(store, NOW, sign=True)
    job = run_context.Job(settings, store, [recipe], Clock(lambda: NOW, simulated=False), "0123456789abcdef")
    trained = train_recipes(store, [recipe], settings, job.clock, TrainOptions(max_minutes=1)).trained[recipe.id]
    for kind, told in {"recent_rate": (0.5, 0.06), "share": (0.02, 0.25)}.items():
        line = [(told[number % 10 > 0], number % 10 == 0) for number in range(100)]
        walked(store, recipe, date(2023, 1, 1), line, 0.1, model_id=f"toy-{kind}", method="daily", model_kind=kind, **OFFICIAL)
    with store.transaction() as connection:
        relearn(connection, [recipe], NOW)
    issued = predict(store, [recipe], settings, job.clock).forecast_ids
    forecasts = table(store, "forecast").set_index("forecast_id").loc[issued].set_index("model_kind")
    alerts = raise_alerts(job)
    report = write_report(job, None)
    sent = deliver.notify(job)

    other = load_settings(home=home / "other", recipes=home / "recipes", catalogue_source="bulletin", recipe_streams=False)
    (home / "other").mkdir()
    (home / "other" / "bulletin.csv").write_text(BULLETIN, encoding="utf-8")
    pulled = run_context.open_job(other, job.clock)
    pull_catalog(pulled, run_context.catalogue_source(pulled))
    fresh_copy.fresh_copy.fn()
    return {
        "trained": sorted(trained["models"]),
        "kinds": sorted(forecasts.index),
        "published": [json.loads(forecasts["details"]["published"]), *forecasts["probability"][["published", "recent_rate"]]],
        "rule": [*alerts.raised, *alerts.suppressed],
        "pages": {page.suffixes[0]: page.read_text(encoding="utf-8") for page in report.pages},
        "mail": render_email(sample_report(), "en")[2],
        "sent": [(row["channel"], row["state"]) for row in sent.rows],
        "messages": [file.read_text(encoding="utf-8") for file in sorted((home / "messages").iterdir())],
        "events": table(pulled.store, "event_revision")[["event_id", "source"]].values.tolist(),
        "coverage": sorted(set(table(pulled.store, "coverage")["source"])),
        "next": {run.deployment: run.at.isoformat() for run in next_runs(deployment_file(), NOW)},
        "copied": settings.published.exists(),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1])), default=str))
