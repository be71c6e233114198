"""The map UI's files from a store with a fitted model: all there, as their schemas say, with the day's own figures."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import resources

import pytest
from jsonschema import Draft202012Validator

from forecaster.clock import Clock
from forecaster.errors import NotWritable
from forecaster.pipeline.daily.export_map_files import export
from forecaster.pipeline.run_context import Job
from forecaster.settings import load_settings
from forecaster.store import fits
from forecaster.store.database import open_store
from tests.support import toy_models
from tests.support.steps import predict, verify
from tests.support.toys import cover, quake, table, write

NOW = datetime(2024, 1, 3, 22, tzinfo=UTC)  # 4 January in Tokyo and in Istanbul: the next day of both is the 5th
HIT = datetime(2024, 1, 1, 7, 10, tzinfo=UTC)  # on 1 January in Tokyo
SCORES = dict.fromkeys(("acc", "f1", "precision", "recall", "auc"), 0.5) | dict.fromkeys(("tp", "fn", "fp", "tn"), 3)
CURVES = {name: [0.5, 0.25] for name in ("train_acc", "train_val_acc", "loss", "val_loss")}
DATES = {
    "train_start_date": "1974-01-01",
    "train_end_date": "2010-03-31",
    "test_start_date": "2010-05-01",
    "test_end_date": "2019-12-31",
}


@pytest.fixture(scope="module")
def job(tmp_path_factory, recipes) -> Iterator[Job]:
    """Forecasts of 1 to 5 January for a toy catalogue read until NOW, where one recipe has a fitted model on record. Not written to."""
    with pytest.MonkeyPatch.context() as patch:
        toy_models.put_in_place(patch)
        yield made_job(load_settings(home=tmp_path_factory.mktemp("exported")), recipes)


def made_job(settings, recipes) -> Job:
    store = open_store(settings.database)
    write(store, quake("us1", datetime(2022, 3, 5, tzinfo=UTC)), quake("us2", HIT, 5.6), quake("us3", HIT + timedelta(hours=1), 4.4))
    cover(store, NOW)
    chosen = [recipes["tokyo-m45"], recipes["istanbul"]]
    toy, known = toy_models.Toy("etas", 0.2, 0.1, date(2023, 10, 1)), datetime(2023, 12, 1, tzinfo=UTC)
    details = {"summary": SCORES | CURVES | DATES, "evaluation": {"information_gain": 0.1}}
    saved = toy_models.save(settings.models, recipes["tokyo-m45"], toy, data_as_of=known, scores=details)
    row = {"model_id": saved.model_id, "recipe_id": "tokyo-m45", "kind": "etas", "recipe_hash": recipes["tokyo-m45"].recipe_hash}
    row |= {"directory": f"tokyo-m45/{saved.model_id}", "data_as_of": known, "decision": "", "details": details, "created_at": known}
    with store.transaction() as connection:
        fits.add_model(connection, row | {"code_version": "0"})
    for day in range(1, 6):
        clock = Clock.standing_at(datetime(2024, 1, day, 22, tzinfo=UTC) - timedelta(days=2))
        predict(store, chosen, settings, clock, target_day=date(2024, 1, day))
    verify(store, chosen, Clock.standing_at(NOW))
    return Job(settings, store, chosen, Clock.standing_at(NOW), "run")


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_every_file_is_there_and_as_its_schema_says(job, tmp_path):
    folder = tmp_path / "out"
    written = export(job, folder)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert sorted(path.relative_to(folder).as_posix() for path in written) == names
    assert names == [
        "istanbul/detail_20240105_20240106.json",
        "istanbul/validations.json",
        "predictions.json",
        "tokyo-m45/detail_20240105_20240106.json",
        "tokyo-m45/summary.json",
        "tokyo-m45/validations.json",
    ]
    for name in names:
        kind = name.split("/")[-1].split("_")[0].removesuffix(".json")
        schema = json.loads(resources.files("forecaster.reports").joinpath(f"schemas/{kind}.schema.json").read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(read(folder, name))


def test_predictions_and_summary_carry_the_stored_figures(job, tmp_path):
    export(job, tmp_path)
    predictions = {row["id"]: row for row in read(tmp_path, "predictions.json")["predictions"]}
    stored = table(job.store, "forecast").query("published").sort_values("target_start").groupby("recipe_id")["probability"].last()
    assert {name: row["probability"] for name, row in predictions.items()} == stored.to_dict()
    assert predictions["tokyo-m45"]["auc"] == 0.5 and predictions["istanbul"]["auc"] is None
    assert predictions["tokyo-m45"]["start_date"] == "20240105"
    summary = read(tmp_path, "tokyo-m45/summary.json")
    assert summary["tp"] == 3 and summary["val_loss"] == [0.5, 0.25] and summary["train_end_date"] == "20100331"


def test_validations_say_what_was_forecast_and_what_came(job, tmp_path):
    """Of the five days the first three are over; the M5.6 came on the first, the M4.4 is below the threshold of both."""
    export(job, tmp_path)
    rows = read(tmp_path, "tokyo-m45/validations.json")["validations"]
    assert [row["fact"] for row in rows] == [1, 0, 0] and [row["max_mag"] for row in rows] == [5.6, None, None]
    stored = table(job.store, "forecast").query("recipe_id == 'tokyo-m45' and published").sort_values("target_start")
    assert [row["prediction"] for row in rows] == stored["probability"].tolist()[:3]
    assert [row["predict_start"] for row in rows] == ["20240101", "20240102", "20240103"]
    assert rows[0]["window_end"] == rows[0]["predict_start"]


def test_the_detail_shows_the_events_that_the_model_could_know(job, tmp_path):
    export(job, tmp_path)
    detail = read(tmp_path, "tokyo-m45/detail_20240105_20240106.json")
    assert [event["mag"] for event in detail["earthquakes"]] == [5.6]
    busy = [index for index, day in enumerate(detail["freq_heatmaps"]) if day]
    assert busy == [11]  # of 15 days to the 4th: 21 December is day 0, the 1st day 11


def test_files_are_replaced_by_a_rename_and_the_same_store_gives_the_same_bytes(job, tmp_path):
    export(job, tmp_path)
    path = tmp_path / "predictions.json"
    whole = path.read_bytes()
    path.write_text("{}")
    with path.open() as reader:
        export(job, tmp_path)
        assert reader.read() == "{}"
    assert path.read_bytes() == whole
    assert not [name for name in tmp_path.rglob("*") if name.name.startswith(".")]


def test_a_folder_that_cannot_be_written_is_told_in_one_line(job, tmp_path):
    (tmp_path / "out").write_text("a file in the way")
    with pytest.raises(NotWritable, match="cannot write") as caught:
        export(job, tmp_path / "out")
    assert "\n" not in str(caught.value)
