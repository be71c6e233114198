"""The map UI's files: fields and forms as in the first system, checked against their schemas, written whole or not at all."""

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from forecaster import files
from forecaster.errors import NotWritable
from forecaster.reports import map_files
from forecaster.reports.content.contract import RecentEvent, RecipeForecast
from forecaster.timewindow import TimeWindow, target_window
from tests.support.sample_report import many_recipes, sample_report

TOKYO = ZoneInfo("Asia/Tokyo")
TARGET = target_window(date(2024, 1, 3), TOKYO)
WINDOW = TimeWindow(TARGET.start - timedelta(days=15), TARGET.start)
FORECAST = RecipeForecast(
    "tokyo",
    {"en": "Tokyo", "ja": "東京"},
    35.680934,
    139.767551,
    150.0,
    4.0,
    "Asia/Tokyo",
    TARGET.start,
    TARGET.end,
    0.24,
    0.2,
    "prospective",
)


def detail(tensor: np.ndarray) -> dict:
    event = RecentEvent(datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC), 37.488, 137.271, float("nan"), 7.5)
    latitudes, longitudes = -90 + 9.0 * np.arange(20), -40 + 12.0 * np.arange(30)
    return map_files.detail_document(FORECAST, WINDOW, tensor, latitudes, longitudes, [event])


def test_predictions_have_the_fields_of_the_first_system() -> None:
    document = map_files.predictions_document([(FORECAST, 1, map_files.Summary(acc=0.7, auc=float("nan")))])
    assert document == {
        "predictions": [
            {
                "id": "tokyo",
                "start_date": "20240103",  # the local day; 15:00 of 2 January in UTC
                "predict_center_lat": 35.680934,
                "predict_center_lng": 139.767551,
                "predict_radius_meters": 150000.0,
                "predict_range_days": 1,
                "probability": 0.24,
                "displayName": {"en": "Tokyo", "ja": "東京"},
                "threshold_mag": 4.0,
                "acc": 0.7,
                "auc": None,
                "f1": None,
                "precision": None,
                "recall": None,
            }
        ]
    }
    map_files.check_document("predictions.json", document)


def test_summary_has_the_fields_of_the_first_system() -> None:
    summary = map_files.Summary(
        0.7, 0.55, 0.2, 0.3, 0.15, 3, 17, 7, 73, (0.6, 0.7), (0.5, 0.6), (0.69, 0.6), (0.7, float("inf")), date(1974, 1, 1)
    )
    document = map_files.summary_document(summary)
    map_files.check_document("tokyo/summary.json", document)
    assert list(document) == [
        *("acc", "auc", "f1", "precision", "recall", "tp", "fn", "fp", "tn", "train_acc", "train_val_acc", "loss", "val_loss"),
        *("train_start_date", "train_end_date", "test_start_date", "test_end_date"),
    ]
    assert (document["fn"], document["val_loss"], document["train_start_date"], document["test_end_date"]) == (
        17,
        [0.7, None],
        "19740101",
        None,
    )
    map_files.check_document("summary.json", map_files.summary_document(map_files.Summary()))


def test_validations_are_in_order_with_numbers_for_facts() -> None:
    first_day, eve, day, next_day = date(2023, 12, 19), date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)
    rows = [
        map_files.Validation(first_day, day, next_day, 0.3, None),
        map_files.Validation(first_day, eve, day, 0.2, True, 5.1),
        map_files.Validation(first_day, day, next_day, 1.3, False),
    ]
    document = map_files.validations_document(rows)
    map_files.check_document("validations.json", document)
    first, second, third = document["validations"]
    assert first == {
        "window_start": "20231219",
        "window_end": "20240102",
        "predict_start": "20240102",
        "predict_end": "20240103",
        "prediction": 0.2,
        "fact": 1.0,
        "detail": "detail_20240102_20240103.json",
        "max_mag": 5.1,
    }
    assert (second["fact"], third["fact"], third["prediction"]) == (None, 0.0, None)


ROW = {
    "window_start": "20231219",
    "window_end": "20240103",
    "predict_start": "20240102",
    "predict_end": "20240103",
    "prediction": 0.2,
    "fact": 1.0,
    "detail": "detail_20240102_20240103.json",
    "max_mag": None,
}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"window_start": "2023-12-19"}, "window_start"),
        ({"prediction": 1.5}, "prediction"),
        ({"prediction": "0.2"}, "prediction"),
        ({"prediction": True}, "prediction"),
        ({"fact": 0.5}, "fact"),
        ({"max_mag": [5.1]}, "max_mag"),
        ({"more": 1}, "'more' was unexpected"),
        ({"fact": ...}, '"fact" is a required property'),
    ],
)
def test_a_fault_of_one_row_among_many_is_told(changed, fault) -> None:
    """Values that were looked at before do not stand for others that equal them: 1 is a number, True is none."""
    row = {name: value for name, value in {**ROW, **changed}.items() if value is not ...}
    map_files.check_document("validations.json", {"validations": [ROW, {**ROW, "prediction": 1}, ROW]})
    with pytest.raises(ValueError, match=rf"validations\[2\].*{fault}"):
        map_files.check_document("validations.json", {"validations": [ROW, ROW, row]})


def test_a_value_that_is_none_of_jsons_is_told_with_its_document() -> None:
    with pytest.raises(ValueError, match=r"^validations\.json: .*float64"):
        map_files.check_document("validations.json", {"validations": [{**ROW, "prediction": np.float64(0.5)}]})


@pytest.mark.parametrize("document", [{}, {"validations": None}, {"validations": [ROW, 1]}, {"validations": [], "more": 1}])
def test_a_document_of_another_form_is_refused(document) -> None:
    with pytest.raises(ValueError, match=r"validations\.schema\.json"):
        map_files.check_document("validations.json", document)


def test_heatmaps_are_sparse_and_keep_day_channel_latitude_and_longitude_apart() -> None:
    """One cell per channel, each on its own day, row and column: a swap of any two axes moves or loses one."""
    tensor = np.zeros((15, 20, 30, 3), dtype=np.float32)
    tensor[2, 14, 3, 0], tensor[5, 0, 29, 1], tensor[14, 19, 0, 2] = 0.5, 0.01, 1.0
    document = detail(tensor)
    map_files.check_document("tokyo/detail_20240103_20240104.json", document)
    assert document["mag_heatmaps"][2] == [{"lat": 36.0, "lng": -4.0, "heat": 0.5}]  # -90 + 14 * 9, -40 + 3 * 12
    assert document["freq_heatmaps"][5] == [{"lat": -90.0, "lng": 308.0, "heat": 0.01}]
    assert document["depth_heatmaps"][14] == [{"lat": 81.0, "lng": -40.0, "heat": 1.0}]
    assert sum(len(day) for name in ("mag_heatmaps", "freq_heatmaps", "depth_heatmaps") for day in document[name]) == 3
    assert (len(document["mag_heatmaps"]), document["lat_gap"], document["lng_gap"]) == (15, 9.0, 12.0)
    assert document["earthquakes"] == [
        {"time": "2024-01-01T07:10:09Z", "latitude": 37.488, "longitude": 137.271, "depth": None, "mag": 7.5}
    ]


def test_a_tensor_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"needs shape \(day, 20, 30, 3\)"):
        detail(np.zeros((15, 30, 20, 3)))


def test_the_webhook_body_holds_every_forecast_and_its_mode() -> None:
    data = sample_report()
    document = map_files.webhook_document(data)
    map_files.check_document("webhook.json", document)
    assert len(document["forecasts"]) == 29 and {row["mode"] for row in document["forecasts"]} == {"replay"}
    tokyo = next(row for row in document["forecasts"] if row["recipe_id"] == "tokyo-m45")
    assert (tokyo["target_start"], tokyo["target_end"]) == ("2024-01-02T15:00:00Z", "2024-01-03T15:00:00Z")
    assert tokyo["ratio_to_usual"] == pytest.approx(1.1)


def test_the_webhook_body_of_many_recipes_holds_those_that_stand_out_most() -> None:
    data = many_recipes(61)
    raised = replace(data.recipes[60], probability=0.5, reference_probability=0.01)
    document = map_files.webhook_document(replace(data, recipes=(*data.recipes[:60], raised)))
    map_files.check_document("webhook.json", document)
    assert len(document["forecasts"]) == 60 and document["unlisted"] == 1 and document["forecasts"][0]["recipe_id"] == "recipe-60"
    assert len(json.dumps(document)) < 1_000_000
    assert "unlisted" not in map_files.webhook_document(replace(data, recipes=data.recipes[:60]))


def test_the_webhook_body_holds_the_first_places_of_the_map_of_the_world() -> None:
    world = map_files.webhook_document(sample_report())["world"]
    assert (world["day"], world["magnitude"], world["radius_km"], world["cells"]) == ("2024-01-03", 5.0, 150.0, 5232)
    assert world["places"][0] == {
        "name": "99 km NW of Nanao, Japan",
        "lat": 37.76,
        "lng": 136.33,
        "probability": 0.61,
        "usual_probability": 0.0011,
        "ratio_to_usual": pytest.approx(0.61 / 0.0011, rel=1e-3),
    }
    without = map_files.webhook_document(replace(sample_report(), world=None))
    map_files.check_document("webhook.json", without)
    assert without["world"] is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"probability": 1.2}, "probability"), ({"start_date": "2024-01-03"}, "start_date"), ({"extra": 1}, "extra"), ({"id": None}, "id")],
)
def test_a_document_that_breaks_its_schema_is_not_written_nor_are_the_others(tmp_path: Path, change: dict, fault: str) -> None:
    document = map_files.predictions_document([(FORECAST, 1, None)])
    document["predictions"][0] |= change
    with pytest.raises(ValueError, match=fault):
        map_files.write_export(
            tmp_path, {"tokyo/summary.json": map_files.summary_document(map_files.Summary()), "predictions.json": document}
        )
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("name", ["../predictions.json", "/tmp/predictions.json", "a/../../predictions.json", "predictions.txt"])
def test_names_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="relative name"):
        map_files.write_export(tmp_path / "out", {name: {"predictions": []}})


def test_writing_twice_leaves_one_whole_file_and_no_temporary_one(tmp_path: Path) -> None:
    documents = {"predictions.json": map_files.predictions_document([(FORECAST, 1, None)]), "tokyo/validations.json": {"validations": []}}
    map_files.write_export(tmp_path, {"predictions.json": {"predictions": []}})
    paths = map_files.write_export(tmp_path, documents)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["predictions.json", "tokyo/validations.json"]
    assert json.loads(paths[0].read_text(encoding="utf-8"))["predictions"][0]["displayName"]["ja"] == "東京"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["predictions.json", "validations.json"]


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(NotWritable, match=r"cannot write .*predictions\.json: .*; choose a folder"):
        map_files.write_export(tmp_path / "file", {"predictions.json": {"predictions": []}})


def test_what_killed_processes_left_is_removed_and_what_is_being_written_stays(tmp_path):
    left = [tmp_path / ".tmp-a", tmp_path / "tokyo" / ".tmp-b"]
    page, written = tmp_path / "tokyo" / "summary.json", tmp_path / ".tmp-c"
    page.parent.mkdir()
    for path in (*left, page, written):
        path.write_text("{")
    with files.held(written):
        map_files.clear_unfinished(tmp_path)
    assert [path for path in (*left, page, written) if path.exists()] == [page, written]


def test_a_document_has_a_line_a_value_and_a_line_a_row() -> None:
    """Seen to fail: a list of lists in one line; NaN written as JavaScript's."""
    document = {
        "one": [{"a": "東京\n", "b": None}, {"a": "", "b": 0.5}],
        "two": [[1, 2], []],
        "three": [1, 2],
        "four": [],
        "five": {"a": [1]},
    }
    text = map_files.json_lines(document)
    assert json.loads(text) == document and json.loads(map_files.json_lines({})) == {}
    assert text.splitlines()[1:4] == [' "one": [', '  {"a":"東京\\n","b":null},', '  {"a":"","b":0.5}'] and len(text.splitlines()) == 13
    for wrong in ({"a": math.nan}, {"a": [{"b": math.inf}]}, {"a": [[math.nan]]}):
        with pytest.raises(ValueError, match="JSON compliant"):
            map_files.json_lines(wrong)
