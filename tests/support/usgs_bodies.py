"""Bodies of the event service, written by hand: a whole answer about events near Noto on 2024-01-01."""

import json

TIME_MS = 1_704_093_009_476  # 2024-01-01T07:10:09.476Z
UPDATED_MS = 1_704_096_000_040  # 2024-01-01T08:00:00.040Z


def feature(event_id: str = "us1", **changes: object) -> dict:
    """A good feature, but for the changed properties."""
    properties = {"mag": 5.0, "place": "x", "time": TIME_MS, "updated": UPDATED_MS, "status": "reviewed", "net": "us"}
    properties |= {"ids": f",{event_id},nc2,", "magType": "mb", "type": "earthquake"} | changes
    return {"type": "Feature", "id": event_id, "properties": properties, "geometry": {"coordinates": [140, 35, 10]}}


def collection(*features: object, **changes: object) -> bytes:
    """The answer with these features, which counts them; `changes` are of the document."""
    metadata = {"url": "", "title": "USGS Earthquakes", "status": 200, "api": "1.14.1", "count": len(features)}
    return json.dumps({"type": "FeatureCollection", "metadata": metadata, "features": features} | changes).encode()
