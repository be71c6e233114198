"""Inline SVG: the world map and the Japan inset. Values in, text out; nothing is read or drawn elsewhere.

Every shape has its light-mode colours as attributes, so that the picture works by itself and can become a PNG. It also has a class that a
page's style may override (dark mode). The ratio to the usual rate is shown in four ways: by one hue from pale to dark, by hatching, by the
width of the edge and in figures.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from forecaster.reports.content.contract import RecentEvent
from forecaster.reports.drawing.ground import (
    JAPAN_BOX,
    JAPAN_HEIGHT,
    JAPAN_WIDTH,
    WORLD_MIDDLE_LON,
    WORLD_SIZE,
    Coastlines,
    Projection,
    ground_of_japan,
    ground_of_world,
    on_japan,
    on_world,
)
from forecaster.reports.drawing.shapes import EDGE, HATCHES, PAPER, dots_data, hatch_patterns, path_data

EARTH_RADIUS_KM = 6371.0088
FILLS = ("#e8ebf7", "#c5cdeb", "#93a1da", "#5a6bc0", "#2c378f")
EDGE_WIDTHS = (0.8, 1.0, 1.4, 1.9, 2.5)
INK, LAND, SEA, COAST = "#1c2333", "#e3e0d8", "#f4f6f8", "#a8a496"
MAX_EVENTS = 400
NAMED_MAGNITUDE = 6.5  # from this magnitude on, the map labels an earthquake with its magnitude
FEW_CIRCLES = 60  # a map of more draws each with fewer points, since they are small
CIRCLE_POINTS, COARSE_POINTS = 48, 16
NO_LEVEL = -1


@dataclass(frozen=True)
class MapTarget:
    """A circle on the map. `level` is 0..4 as in words.level_of, None for no forecast; `lines` are written beside it."""

    lat: float
    lng: float
    radius_km: float
    level: int | None
    lines: tuple[str, ...]
    title: str


def circle_points(lat: float, lng: float, radius_km: float, count: int = CIRCLE_POINTS) -> list[tuple[float, float]]:
    """Return (lon, lat) of `count` points at `radius_km` great-circle distance; longitudes are continuous, not wrapped."""
    phi, angle = math.radians(lat), radius_km / EARTH_RADIUS_KM
    points = []
    for step in range(count):
        bearing = 2 * math.pi * step / count
        sine = math.sin(phi) * math.cos(angle) + math.cos(phi) * math.sin(angle) * math.cos(bearing)
        turn = math.atan2(math.sin(bearing) * math.sin(angle) * math.cos(phi), math.cos(angle) - math.sin(phi) * sine)
        points.append((lng + math.degrees(turn), math.degrees(math.asin(max(-1.0, min(1.0, sine))))))
    return points


def world_map(
    targets: Sequence[MapTarget],
    events: Sequence[RecentEvent],
    coastlines: Coastlines,
    title: str,
    inset_label: str,
    font_size: float = 11.0,
    dots: Sequence[MapTarget] = (),
) -> str:
    """Draw the world from 60 S to 78 N, with the Pacific in the middle.

    Targets inside the Japan box have no label here, because the inset labels them. dots: more targets than circles would be told apart of.
    """
    width, height = WORLD_SIZE

    def near(lon: float) -> float:
        return (lon - WORLD_MIDDLE_LON + 180) % 360 - 180 + WORLD_MIDDLE_LON

    rim = [on_world(WORLD_MIDDLE_LON - 180, lat) for lat in range(-80, 81, 4)]
    rim += [on_world(WORLD_MIDDLE_LON + 180, lat) for lat in range(80, -81, -4)]
    west, south, east, north = JAPAN_BOX
    corners = [on_world(lon, lat) for lon, lat in ((west, south), (east, south), (east, north), (west, north))]
    label_at = ((corners[2][0] + corners[3][0]) / 2, corners[3][1] - 5)
    box = ""
    if any(map(in_japan, (*targets, *dots))):
        box = f'<path class="inset-box" d="{path_data(corners, True)}" fill="none" stroke="{INK}" stroke-width="1"/>'
        box += _text(label_at, inset_label, font_size, "middle")
    outside = [target for target in targets if not in_japan(target)]
    body = _layers(targets, outside, events, ground_of_world(coastlines), on_world, near, width, font_size, "world", dots)
    frame = f'<path class="sea" d="{path_data(rim, True)}" fill="{SEA}" stroke="{COAST}" stroke-width="0.6"/>'
    clip = f'<clipPath id="clip-world"><path d="{path_data(rim, True)}"/></clipPath>'
    return _svg(width, height, "world", title, clip, frame, body, box)


def japan_map(
    targets: Sequence[MapTarget],
    events: Sequence[RecentEvent],
    coastlines: Coastlines,
    title: str,
    font_size: float = 13.0,
    dots: Sequence[MapTarget] = (),
) -> str:
    """Draw the inset of Japan. dots: as for `world_map`."""
    height = JAPAN_HEIGHT
    here, dots = ([target for target in each if in_japan(target)] for each in (targets, dots))
    inside = [event for event in events if _in_box(event)]
    body = _layers(here, here, inside, ground_of_japan(coastlines), on_japan, lambda lon: lon, JAPAN_WIDTH, font_size, "japan", dots)
    rectangle = f'width="{JAPAN_WIDTH:.0f}" height="{height:.0f}"'
    frame = f'<rect class="sea" {rectangle} fill="{SEA}"/>'
    return _svg(JAPAN_WIDTH, height, "japan", title, f'<clipPath id="clip-japan"><rect {rectangle}/></clipPath>', frame, body, "")


def event_radius(magnitude: float) -> float:
    """Return the radius of an earthquake on the map in pixels: 1.8 at M 4.5, 1.7 times as much per unit, at most 16."""
    radius: float = min(1.8 * 1.7 ** (magnitude - 4.5), 16.0)
    return radius


def svg_to_png(svg: str, scale: float = 2.0) -> bytes:
    """Return the picture as PNG, for mail programs that show no SVG."""
    import vl_convert  # imported here: slow to load, and only mails need it

    return vl_convert.svg_to_png(svg, scale=scale)


def can_draw(text: str) -> bool:
    """Return whether a font of this machine has glyphs for `text`.

    Without glyphs, the picture of the text equals that of characters that no font has, or is blank.
    """
    line = '<svg xmlns="http://www.w3.org/2000/svg" width="99" height="40"><text y="30" font-family="system-ui, sans-serif">{}</text></svg>'
    return svg_to_png(line.format(escape(text))) not in (svg_to_png(line.format("\ue000" * len(text))), svg_to_png(line.format("")))


def in_japan(target: MapTarget) -> bool:
    """Return whether the inset of Japan shows this circle."""
    west, south, east, north = JAPAN_BOX
    return west <= target.lng <= east and south <= target.lat <= north


def _in_box(event: RecentEvent) -> bool:
    """Return whether the inset of Japan shows this earthquake and its magnitude."""
    west, south, east, north = JAPAN_BOX
    return west <= event.longitude_deg <= east and south <= event.latitude_deg <= north


def _layers(
    targets: Sequence[MapTarget],
    named: Sequence[MapTarget],
    events: Sequence[RecentEvent],
    ground: tuple[str, str],
    project: Projection,
    near: Callable[[float], float],
    width: float,
    font_size: float,
    name: str,
    dots: Sequence[MapTarget],
) -> tuple[str, str]:
    """Return (what is clipped: land, dots, circles, coast, events; what is not: the labels). The highest ratio is drawn last, on top."""
    land, coast = ground
    shapes = [f'<path class="land" d="{land}" fill="{LAND}" fill-rule="evenodd"/>', *_dots(dots, project, near)]
    boxes: dict[int, tuple[float, float, float, float]] = {}
    count = CIRCLE_POINTS if len(targets) <= FEW_CIRCLES else COARSE_POINTS
    for target in sorted(targets, key=lambda item: -1 if item.level is None else item.level):
        points = [project(lon, lat) for lon, lat in circle_points(target.lat, near(target.lng), target.radius_km, count)]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        boxes[id(target)] = (min(xs), min(ys), max(xs), max(ys))
        look = f'fill="{PAPER}" stroke="{EDGE}" stroke-width="1" stroke-dasharray="3 2" class="level-none"'
        if target.level is not None:
            look = f'fill="{FILLS[target.level]}" stroke="{EDGE}" stroke-width="{EDGE_WIDTHS[target.level]}" class="level-{target.level}"'
        outline = path_data(points, True)
        shapes.append(f'<path d="{outline}" {look}><title>{escape(target.title)}</title></path>')
        if target.level in HATCHES:
            shapes.append(f'<path class="hatch" d="{outline}" fill="url(#hatch-{name}-{target.level})"/>')
    shapes.append(f'<path class="coast" d="{coast}" fill="none" stroke="{COAST}" stroke-width="0.7"/>')
    for event in sorted(events, key=lambda item: -item.magnitude)[:MAX_EVENTS]:
        x, y = project(near(event.longitude_deg), event.latitude_deg)
        ring = f'cx="{x:.1f}" cy="{y:.1f}" r="{event_radius(event.magnitude):.1f}" fill="none"'
        shapes.append(
            f'<circle class="casing" {ring} stroke="{PAPER}" stroke-width="3"/>'
            f'<circle class="event" {ring} stroke="{INK}" stroke-width="1.2"/>'
        )
    strong = [event for event in events if event.magnitude >= NAMED_MAGNITUDE and not (name == "world" and _in_box(event))]
    rings = [(*project(near(event.longitude_deg), event.latitude_deg), event_radius(event.magnitude)) for event in strong]
    magnitudes = [
        _plate(min(x, width - 18), y - radius - 3, f"M{event.magnitude:.1f}", font_size - 1)
        for event, (x, y, radius) in zip(strong, rings, strict=True)
    ]
    kept_free = [(x - radius - 12, y - radius - font_size - 2, x + radius + 12, y + radius) for x, y, radius in rings]
    return "".join(shapes), _labels(named, boxes, kept_free, font_size) + "".join(magnitudes)


def _dots(targets: Sequence[MapTarget], project: Projection, near: Callable[[float], float]) -> list[str]:
    """Return a dot for each target: all rims, then the insides in the colours of the levels. Of a pixel's dots the highest is drawn."""
    levels: dict[tuple[int, int], int] = {}
    for target in targets:
        x, y = project(near(target.lng), target.lat)
        pixel, level = (round(x), round(y)), NO_LEVEL if target.level is None else target.level
        levels[pixel] = max(level, levels.get(pixel, NO_LEVEL))
    parts = [("rim", EDGE, 4.4, sorted(levels))] if levels else []
    for level, ink in ((NO_LEVEL, PAPER), *enumerate(FILLS)):
        if at := sorted(pixel for pixel, highest in levels.items() if highest == level):
            parts.append(("none" if level == NO_LEVEL else f"{level}", ink, 3.0, at))
    look = 'fill="none" stroke-linecap="round"'
    return [f'<path class="dots-{name}" d="{dots_data(at)}" {look} stroke="{ink}" stroke-width="{wide}"/>' for name, ink, wide, at in parts]


def _labels(
    targets: Sequence[MapTarget],
    boxes: dict[int, tuple[float, float, float, float]],
    kept_free: Sequence[tuple[float, float, float, float]],
    size: float,
) -> str:
    """Draw each target's lines beside its circle, in the given order. A label without a free place is left out; the table has it."""
    taken = [*kept_free, *(box for target in targets if (box := boxes[id(target)])[2] - box[0] < 40)]
    texts = []
    for target in targets:
        if not target.lines:
            continue
        left, top, right, bottom = boxes[id(target)]
        wide = max((sum(1.0 if ord(char) > 0x2E80 else 0.58 for char in line) for line in target.lines), default=0) * size
        tall, middle = size * 1.2 * len(target.lines), (top + bottom) / 2
        across = (left + right) / 2
        places = [
            ("start", right + 3, middle - tall / 2, right + 3),
            ("end", left - 3, middle - tall / 2, left - 3 - wide),
            ("middle", across, top - 3 - tall, across - wide / 2),
            ("middle", across, bottom + 3, across - wide / 2),
            ("start", right + 3, middle, right + 3),
            ("start", right + 3, middle - tall, right + 3),
        ]
        if right - left > 60:
            places.insert(0, ("middle", across, middle - tall / 2, across - wide / 2))
        for anchor, x, y, edge in places:
            spot = (edge, y, edge + wide, y + tall)
            if edge >= 0 and not any(_overlap(spot, other) for other in taken):
                taken.append(spot)
                pill = f'x="{edge - 2:.1f}" y="{y:.1f}" width="{wide + 4:.1f}" height="{tall + 2:.1f}" rx="3"'
                texts.append(f'<rect class="pill" {pill} fill="{SEA}" fill-opacity="0.86"/>')
                texts += [
                    _text((x, y + size * (1 + 1.2 * i)), line, size, anchor, i == len(target.lines) - 1)
                    for i, line in enumerate(target.lines)
                ]
                break
    return "".join(texts)


def _plate(x: float, y: float, text: str, size: float) -> str:
    """Draw bold text on a plate, so that it is legible on any background."""
    wide = 0.62 * size * len(text)
    plate = f'x="{x - wide / 2:.1f}" y="{y - size:.1f}" width="{wide:.1f}" height="{size + 3:.1f}" rx="3"'
    return f'<rect class="plate-back" {plate} fill="{SEA}" fill-opacity="0.86"/>{_text((x, y), text, size, "middle", True)}'


def _overlap(one: tuple[float, float, float, float], two: tuple[float, float, float, float]) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _text(at: tuple[float, float], text: str, size: float, anchor: str, strong: bool = False) -> str:
    weight = ' font-weight="700"' if strong else ""
    place = f'x="{at[0]:.1f}" y="{at[1]:.1f}" font-size="{size:g}" text-anchor="{anchor}"'
    return f'<text class="label" {place} fill="{INK}"{weight}>{escape(text)}</text>'


def _svg(width: float, height: float, name: str, title: str, clip: str, frame: str, body: tuple[str, str], over: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="map map-{name}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif"><defs>{clip}{hatch_patterns(name)}</defs>{frame}'
        f'<g clip-path="url(#clip-{name})">{body[0]}</g>{over}{body[1]}</svg>'
    )
