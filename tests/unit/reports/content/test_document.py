"""The kept document of a report gives back what was put in, whatever stands in it, and is read by later and earlier programs alike."""

import json
import math
import zlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecaster.reports.content import contract
from forecaster.reports.content.contract import RecipeForecast, ReportData
from forecaster.reports.content.document import pack, unpack
from forecaster.reports.map_files import webhook_document
from tests.support.sample_report import sample_report

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(Mapping, lambda kind: st.dictionaries(*map(st.from_type, kind.__args__), max_size=3))
MADE_OF = [kind for kind in vars(contract).values() if is_dataclass(kind) and kind.__module__ == contract.__name__]


def packed(kept: object) -> tuple[bytes, str]:
    text = json.dumps(kept).encode()
    return zlib.compress(text), sha256(text).hexdigest()


def content(data: ReportData) -> dict:
    return json.loads(zlib.decompress(pack(data).content))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.from_type(ReportData))
def test_what_is_kept_comes_back_as_it_was(data: ReportData) -> None:
    """Every field of every kind, None, infinite numbers, lone surrogates, microseconds: dataclasses compare by value."""
    kept = pack(data)
    back = unpack(kept.content, kept.sha256)
    assert back == data and pack(back) == kept
    assert all(type(getattr(back, each.name)) is type(getattr(data, each.name)) for each in fields(ReportData))
    assert back.generated_at.utcoffset() == data.generated_at.utcoffset()


@pytest.mark.parametrize("kind", MADE_OF, ids=lambda kind: kind.__name__)
def test_each_kind_of_value_comes_back(kind: type) -> None:
    """The sample has a value of every kind and in nearly every field."""
    data = sample_report()
    found, back = ([item for item in _walk(report) if type(item) is kind] for report in (data, unpack(*_parts(data))))
    assert found and found == back


def test_a_number_that_is_none_comes_back_as_none() -> None:
    back = unpack(*_parts(replace(sample_report(), data_age_hours=math.nan)))
    assert back.data_age_hours is not None and math.isnan(back.data_age_hours)


def test_a_document_of_29_recipes_is_small_and_always_the_same() -> None:
    """88 kB with drawn figures, which pack worse than real ones; 34 of them are ladders."""
    assert len(pack(sample_report()).content) < 100_000 and pack(sample_report()) == pack(deepcopy(sample_report()))


def test_the_first_version_s_document_stays_readable() -> None:
    """What had no default at version 1, and nothing else: a field that is added later must have one."""
    recipe = {each.name: None for each in fields(RecipeForecast) if each.default is MISSING and each.default_factory is MISSING}
    recipe |= {"recipe_id": "tokyo", "display_name": {"en": "Tokyo"}, "lat": 35.7, "lng": 139.7, "radius_km": 100, "threshold_mag": 4.5}
    recipe |= {
        "time_zone": "Asia/Tokyo",
        "mode": "prospective",
        "target_start": "2024-01-02T15:00:00Z",
        "target_end": "2024-01-03T15:00:00Z",
    }
    found = unpack(*packed({"version": 1, "report": {"report_id": "r", "generated_at": "2024-01-02T12:00:00Z", "recipes": [recipe]}}))
    assert found.recipes[0].probability is None and found.recipes[0].models == () and found.events_days == 7
    assert len(recipe) == 12, "a field without a default was added: older documents could not be read"


def test_a_document_with_the_former_names_of_fields_is_read() -> None:
    """What version 0.1.0 called said, came, settled, settled_days, happened and turned."""
    kept = content(sample_report())
    former = {"verified_days": "settled_days", "verified": "settled", "revised": "turned"}
    renamed: set[str] = set()

    def as_it_was(value: Any) -> Any:
        if isinstance(value, list):
            return [as_it_was(one) for one in value]
        if not isinstance(value, dict):
            return value
        curve = {"probability": "said", "observed": "came"} if isinstance(value.get("observed"), list) else {"observed": "happened"}
        names = former | curve
        renamed.update(names[name] for name in names.keys() & value.keys())
        return {names.get(name, name): as_it_was(one) for name, one in value.items()}

    assert unpack(*packed(as_it_was(kept))) == sample_report()
    assert renamed == {"said", "came", "settled", "settled_days", "happened", "turned"}


def test_fields_that_are_not_known_are_passed_over() -> None:
    kept = content(sample_report())
    kept["report"]["later"] = kept["report"]["recipes"][0]["later"] = {"a": [1]}
    assert unpack(*packed(kept)) == sample_report()


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((b"noise", "0" * 64), "cannot be read"),
        ((pack(sample_report()).content, "0" * 64), "SHA-256 differs"),
        (packed({"version": 2, "report": {}}), "version 2"),
        (packed({"version": 1, "report": {"report_id": "r"}}), "cannot be read"),
        (packed([1]), "cannot be read"),
        (packed({}), "cannot be read"),
    ],
)
def test_a_damaged_document_is_told(parts: tuple[bytes, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        unpack(*parts)


def test_the_webhook_s_body_is_made_from_it_byte_for_byte() -> None:
    data = sample_report()
    one, two = (json.dumps(webhook_document(report)) for report in (data, unpack(*_parts(data))))
    assert one == two


def _parts(data: ReportData) -> tuple[bytes, str]:
    kept = pack(data)
    return kept.content, kept.sha256


def _walk(value: object) -> list:
    if is_dataclass(value):
        return [value, *(item for each in fields(value) for item in _walk(getattr(value, each.name)))]
    if isinstance(value, tuple):
        return [item for part in value for item in _walk(part)]
    return []
