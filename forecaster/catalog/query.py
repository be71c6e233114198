"""A query of the event service: a region, a half-open span, a magnitude; and the request parameters made from it.

The service's bounds are inclusive and cut to whole seconds. A half-open [start, end) is therefore requested as [floor(start), ceil(end)],
and the answer is cut by origin time afterwards. Neighbouring spans overlap in one instant, and their rows are joined by id. Nothing is lost
in the last second, and nothing is read twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from forecaster.errors import BadDate, BadInput

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
"""Called with rows read and rows expected."""

TIME_DIFFERS = timedelta(minutes=1)
PLACE_DIFFERS_DEG = 0.5
MAGNITUDE_DIFFERS = 0.3
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Region:
    """A box in degrees. Longitudes are in -360..360, so that a box may cross the date line (170 to 190)."""

    min_latitude_deg: float
    max_latitude_deg: float
    min_longitude_deg: float
    max_longitude_deg: float

    def __post_init__(self) -> None:
        south, north, west, east = (
            self.min_latitude_deg,
            self.max_latitude_deg,
            self.min_longitude_deg,
            self.max_longitude_deg,
        )
        if not (-90 <= south < north <= 90 and -360 <= west < east <= 360 and east - west <= 360):
            raise BadInput(
                f"region {south}..{north} N, {west}..{east} E: latitudes must rise within -90..90 and longitudes within "
                "-360..360 over at most 360 degrees; swap or correct the bounds"
            )


WORLD = Region(-90.0, 90.0, -180.0, 180.0)


@dataclass(frozen=True)
class Query:
    """Events with origin in [start, end) (aware UTC), of at least `min_magnitude`, in `region`. With `updated_after` only those modified at
    or after it; with `include_deleted` also deleted ones (status `deleted`)."""

    start: datetime
    end: datetime
    min_magnitude: float
    region: Region = WORLD
    updated_after: datetime | None = None
    include_deleted: bool = False

    def __post_init__(self) -> None:
        for name, moment in (("start", self.start), ("end", self.end), ("updated_after", self.updated_after)):
            if moment is not None and moment.utcoffset() != timedelta(0):
                raise BadDate(f"query {name} {moment!r} is not an aware UTC time; give it tzinfo=UTC")
        if self.end <= self.start:
            raise BadDate(f"query start {self.start:%FT%TZ} is not before its end {self.end:%FT%TZ}; swap them")

    def parameters(self) -> dict[str, str]:
        """Return the parameters of /query and /count, without `format`. Bounds are widened to whole seconds."""
        asked = {
            "starttime": _stamp(floor_second(self.start)),
            "endtime": _stamp(ceil_second(self.end)),
            "minmagnitude": f"{self.min_magnitude:g}",
        }
        if self.region != WORLD:
            asked |= {
                "minlatitude": f"{self.region.min_latitude_deg:.10g}",
                "maxlatitude": f"{self.region.max_latitude_deg:.10g}",
                "minlongitude": f"{self.region.min_longitude_deg:.10g}",
                "maxlongitude": f"{self.region.max_longitude_deg:.10g}",
            }
        if self.updated_after is not None:
            asked["updatedafter"] = _stamp(floor_second(self.updated_after))
        if self.include_deleted:
            asked["includedeleted"] = "true"
        return asked

    def halves(self) -> tuple["Query", "Query"] | None:
        """Return the span cut in two at a whole second, or None where it is one second long and cannot be cut."""
        start, end = floor_second(self.start), ceil_second(self.end)
        middle = floor_second(start + (end - start) / 2)
        if not self.start < middle < self.end:
            return None
        return replace(self, end=middle), replace(self, start=middle)

    def cut(self, revisions: "pd.DataFrame") -> "pd.DataFrame":
        """Return the rows with origin in [start, end). Deleted rows without a time are kept."""
        origin = revisions["origin_time"]
        inside = (origin >= self.start) & (origin < self.end)
        timeless = origin.isna() & (revisions["status"] == "deleted")
        return revisions[inside | timeless]

    def outside(self, revisions: "pd.DataFrame") -> "pd.Series":
        """Return for each row why it does not answer this query; "" where it does. Deleted rows may be empty, and need only be requested.

        The service selects events by its own values and shows those of the preferred product, which differ a little. It shows the same
        `updated` that it selects by.
        """
        deleted = revisions["status"] == "deleted"
        late = revisions["origin_time"] > ceil_second(self.end) + TIME_DIFFERS
        early = revisions["origin_time"] < floor_second(self.start) - TIME_DIFFERS
        north, south = self.region.max_latitude_deg + PLACE_DIFFERS_DEG, self.region.min_latitude_deg - PLACE_DIFFERS_DEG
        width = self.region.max_longitude_deg - self.region.min_longitude_deg + 2 * PLACE_DIFFERS_DEG
        from_west = (revisions["longitude_deg"] - self.region.min_longitude_deg + PLACE_DIFFERS_DEG) % 360
        elsewhere = ~revisions["latitude_deg"].between(south, north) | (from_west > width)
        rules = [
            (early | late, "outside the time that was asked for"),
            (elsewhere, "outside the region that was asked for"),
            (revisions["magnitude"] < self.min_magnitude - MAGNITUDE_DIFFERS, "below the magnitude that was asked for"),
        ]
        if self.updated_after is not None:
            before = revisions["updated_at"] < floor_second(self.updated_after) - _SECOND
            rules.append((before, "not updated since the time that was asked for"))
        import pandas as pd

        reasons = pd.Series("", index=revisions.index, dtype="str")
        for mask, reason in rules:
            if mask.any():
                reasons[mask & ~deleted & (reasons == "")] = reason
        if not self.include_deleted:
            reasons[deleted] = "deleted, and only others were asked for"
        return reasons


@dataclass(frozen=True)
class ReadResult:
    """The result of one read: rows of the span, rows that could not be read, the number the service counted (summed over request windows,
    so an event on a shared bound counts twice), requests sent, and their log (one dict each: requested_at, url, status, rows, bytes,
    elapsed_s, note, service_date)."""

    revisions: "pd.DataFrame"
    quarantined: "pd.DataFrame"
    counted: int
    requests: int
    fetch_log: list[dict[str, Any]]


def floor_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def ceil_second(moment: datetime) -> datetime:
    return moment if moment.microsecond == 0 else moment.replace(microsecond=0) + _SECOND


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
