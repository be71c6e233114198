"""What is published: the tables `combination` (learnt weights) and `publication` (what a person decided)."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd

from forecaster.store.by_recipe import by_recipe, wanted
from forecaster.store.database import Connection
from forecaster.store.ledger import insert
from forecaster.store.row_types import rows_as
from forecaster.store.typed_rows.model_types import NewWeights, PublicationRow, WeightsRow

WORLD = "world"
_PARSED = ("weights", "belief", "numbers")


def newest_weights(connection: Connection, scope: str, target_hash: str, base: str, as_of: datetime) -> WeightsRow | None:
    """Return the newest row of `combination` of this scope on this base that is valid at `as_of`, with JSON parsed; None where there is
    none."""
    return newest_weights_of_all(connection, [(scope, target_hash, base, as_of)])[0]


def newest_weights_of_all(connection: Connection, asked: Sequence[tuple[str, str, str, datetime]]) -> list[WeightsRow | None]:
    """Return the same for many (scope, target hash, base, as_of) in one query, in their order."""
    scopes, hashes, bases, moments = (list(column) for column in zip(*asked, strict=True)) if asked else ([], [], [], [])
    # The row of each is found with narrow columns; the wide columns are read for that row alone.
    frame = connection.execute(
        "WITH newest AS (SELECT w.place, c.rowid AS row FROM combination c "
        "JOIN (SELECT unnest($scopes) AS scope, unnest($hashes) AS target_hash, unnest($bases) AS base, "
        "unnest($moments::TIMESTAMPTZ[]) AS as_of, unnest($places) AS place) w USING (scope, target_hash, base) "
        "WHERE c.since <= w.as_of QUALIFY row_number() OVER (PARTITION BY w.place ORDER BY c.since DESC, c.number DESC) = 1) "
        "SELECT newest.place, c.* FROM combination c JOIN newest ON c.rowid = newest.row",
        {"scopes": scopes, "hashes": hashes, "bases": bases, "moments": moments, "places": list(range(len(asked)))},
    ).df()
    places = frame.pop("place")
    for name in _PARSED:
        frame[name] = pd.Series([json.loads(text) for text in frame[name]], dtype=object, index=frame.index)
    found: list[WeightsRow | None] = [None] * len(asked)
    for place, row in zip(places, rows_as(WeightsRow, frame), strict=True):
        found[place] = row
    return found


def add_weights(connection: Connection, row: NewWeights) -> None:
    """Append learnt weights. Their number is the next one of the scope and target."""
    counted = connection.execute(
        "SELECT count(*) FROM combination WHERE scope = $scope AND target_hash = $hash",
        {"scope": row["scope"], "hash": row["target_hash"]},
    ).fetchall()
    texts = {name: json.dumps(value, ensure_ascii=False) for name, value in row.items() if name in _PARSED}
    insert(connection, "combination", [{**row, **texts, "number": counted[0][0] + 1}])


def decisions(connection: Connection, recipe_id: str, target_hash: str, as_of: datetime | None = None) -> list[PublicationRow]:
    """Return the decisions made by persons for one target up to `as_of`, oldest first; missing values are None."""
    return decisions_of_all(connection, [(recipe_id, target_hash, as_of)])[0]


def decisions_of_all(connection: Connection, asked: Sequence[tuple[str, str, datetime | None]]) -> list[list[PublicationRow]]:
    """Return the same for many (recipe id, target hash, as_of) in one query, in their order."""
    ids, hashes, moments = (list(column) for column in zip(*asked, strict=True)) if asked else ([], [], [])
    frame = connection.execute(
        "SELECT w.place, p.* FROM publication p JOIN (SELECT unnest($ids) AS recipe_id, unnest($hashes) AS target_hash, "
        "unnest($moments::TIMESTAMPTZ[]) AS as_of, unnest($places) AS place) w USING (recipe_id, target_hash) "
        "WHERE w.as_of IS NULL OR p.since <= w.as_of ORDER BY w.place, p.since, p.number",
        {"ids": ids, "hashes": hashes, "moments": moments, "places": list(range(len(asked)))},
    ).df()
    places = frame.pop("place")
    found: list[list[PublicationRow]] = [[] for _ in asked]
    for place, row in zip(places, rows_as(PublicationRow, frame), strict=True):
        found[place].append(row)
    return found


def add_decision(connection: Connection, row: PublicationRow) -> None:
    """Append a person's decision. Its number is the next one of the target."""
    counted = connection.execute(
        "SELECT count(*) FROM publication WHERE recipe_id = $id AND target_hash = $hash",
        {"id": row["recipe_id"], "hash": row["target_hash"]},
    ).fetchall()
    insert(connection, "publication", [{**row, "number": counted[0][0] + 1}])


def verified_members(connection: Connection, targets: Mapping[str, str], since: datetime, as_of: datetime) -> dict[str, pd.DataFrame]:
    """Return the official forecasts of every kind of model that had complete inputs. Their days run from `since` on and have a final
    outcome by `as_of`. There is one frame for each of these targets (recipe id -> target hash), oldest first.

    Columns: target_start, model_kind, probability, reference_probability, happened.
    """
    return by_recipe(
        connection,
        "SELECT f.recipe_id, f.target_start, f.model_kind, f.probability, f.reference_probability, o.happened "
        "FROM forecast f JOIN wanted w USING (recipe_id, target_hash) JOIN outcome o USING (recipe_id, target_start, target_hash) "
        "WHERE f.official AND NOT f.degraded AND NOT f.in_sample AND f.target_start >= $since "
        "AND o.status = 'final' AND o.as_of <= $as_of ORDER BY f.recipe_id, f.target_start, f.model_kind",
        wanted(targets),
        {"since": since, "as_of": as_of},
    )
