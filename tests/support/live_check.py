"""The client's contract put to a service, a few requests long: `python -m tests.support.live_check --contact you@example.org`.

Each check is an assumption that the client rests on. The same checks run against the local server in the tests; against
the real service they are run by hand (`make live-check`), never in CI. Together they send about 15 requests.
"""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import requests

from forecaster.catalog.query import Query, Region
from forecaster.catalog.sources.usgs import UsgsClient
from forecaster.errors import CatalogError

REAL_SERVICE = "https://earthquake.usgs.gov"
DAY = timedelta(days=1)
Check = Callable[[UsgsClient, str, datetime], None]


def rows_equal_the_count_in_both_formats(client: UsgsClient, base_url: str, now: datetime) -> None:
    query = Query(now - 4 * DAY, now - 2 * DAY, 4.5)
    as_json, as_csv = client.read_span(query, "geojson"), client.read_span(query, "csv")
    assert set(as_json.revisions["event_id"]) == set(as_csv.revisions["event_id"]), "csv and geojson differ"
    assert len(as_json.revisions) > 0, "no M4.5 in the world for two days"


def neighbouring_windows_join_without_loss(client: UsgsClient, base_url: str, now: datetime) -> None:
    start, middle, end = now - 4 * DAY, now - 3 * DAY, now - 2 * DAY
    whole = client.read_span(Query(start, end, 4.5)).revisions["event_id"]
    halves = [client.read_span(Query(a, b, 4.5)).revisions["event_id"] for a, b in ((start, middle), (middle, end))]
    assert sorted([*halves[0], *halves[1]]) == sorted(whole), "two halves are not the whole"


def updates_and_deletions_come_in_one_request(client: UsgsClient, base_url: str, now: datetime) -> None:
    query = Query(now - 30 * DAY, now, 4.5, Region(24, 48, 122, 154), now - 4 * DAY, include_deleted=True)
    result = client.changes_since(query)
    assert result.requests == 1, f"{result.requests} requests for the daily pull"
    assert (result.revisions["updated_at"].dropna() >= query.updated_after).all(), "updatedafter is not >="
    pairs = zip(result.revisions["event_id"], result.revisions["ids"], strict=True)
    assert all(event_id in ids for event_id, ids in pairs), "an id is not among its own ids"


def an_unknown_event_is_none(client: UsgsClient, base_url: str, now: datetime) -> None:
    assert client.lookup("us0000nonesuch") is None


def a_known_event_is_found_by_its_id(client: UsgsClient, base_url: str, now: datetime) -> None:
    event_id = client.changes_since(Query(now - 4 * DAY, now - 2 * DAY, 4.5)).revisions["event_id"].iat[0]
    row = client.lookup(event_id)
    assert row is not None
    assert event_id in row["ids"].iat[0], f"{event_id} is not among its own ids"


def a_wrong_parameter_is_400_with_a_reason(client: UsgsClient, base_url: str, now: datetime) -> None:
    answer = requests.get(f"{base_url}/fdsnws/event/1/query", params={"nonesuch": "1", "format": "csv"}, timeout=30)
    assert answer.status_code == 400
    assert 'Unknown parameter "nonesuch"' in answer.text
    assert answer.text.startswith("Error 400: Bad Request")


def no_matching_event_is_empty_not_an_error(client: UsgsClient, base_url: str, now: datetime) -> None:
    assert client.read_span(Query(now - 3 * DAY, now - 2 * DAY, 9.9), "csv").revisions.empty


CHECKS: tuple[Check, ...] = (
    rows_equal_the_count_in_both_formats,
    neighbouring_windows_join_without_loss,
    updates_and_deletions_come_in_one_request,
    an_unknown_event_is_none,
    a_known_event_is_found_by_its_id,
    a_wrong_parameter_is_400_with_a_reason,
    no_matching_event_is_empty_not_an_error,
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.live_check",
        description="Put the client's contract to a USGS event service, about 15 requests; exit code 1 where one fails.",
        epilog="example: python -m tests.support.live_check --contact you@example.org",
    )
    parser.add_argument("--base-url", default=os.environ.get("QUAKECAST_USGS_URL", REAL_SERVICE))
    parser.add_argument("--contact", required=True, help="goes into the User-Agent")
    chosen = parser.parse_args()
    now = datetime.now(UTC).replace(microsecond=0)
    client = UsgsClient(chosen.base_url, chosen.contact, clock=lambda: datetime.now(UTC), rng=np.random.default_rng())
    failures = 0
    for check in CHECKS:
        try:
            check(client, chosen.base_url, now)
            outcome = "ok"
        except (AssertionError, CatalogError, requests.RequestException) as problem:
            failures += 1
            outcome = f"FAILED: {problem}"
        print(f"{check.__name__.replace('_', ' '):50} {outcome}", flush=True)
    print(f"{len(client.fetch_log)} requests by the client to {chosen.base_url}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
