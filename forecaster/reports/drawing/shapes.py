"""Small parts of the pictures: compact path data, and the hatching that shows levels without colour."""

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from html import escape

EDGE, PAPER = "#2c378f", "#ffffff"
HATCHES = {
    0: '<circle cx="3.5" cy="3.5" r="0.9" class="hatch-dot" fill="{ink}"/>',
    2: '<path d="M-1 8L8 -1" class="hatch-line" stroke="{ink}" stroke-width="0.8"/>',
    3: '<path d="M-1 4.5L4.5 -1M-1 8L8 -1M2.5 8L8 2.5" class="hatch-line strong" stroke="{paper}" stroke-width="0.9"/>',
    4: '<path d="M0 0L7 7M0 7L7 0" class="hatch-line strong" stroke="{paper}" stroke-width="0.9"/>',
}


UNTITLED = "@"
"""The title of a picture that `with_title` gives its own: pictures are drawn once, and titled in each language."""


def with_title(svg: str, title: str) -> str:
    """Return a picture that was drawn with the title UNTITLED, with this one."""
    return svg.replace(f'aria-label="{UNTITLED}"', f'aria-label="{escape(title)}"', 1)


def hatch_patterns(name: str) -> str:
    """Return SVG patterns for the levels of HATCHES, with ids hatch-NAME-LEVEL.

    Below the usual rate they are dots; above it they are lines, denser with each level.
    """
    box = 'width="7" height="7" patternUnits="userSpaceOnUse"'
    return "".join(
        f'<pattern id="hatch-{escape(name)}-{level}" {box}>{lines.format(ink=EDGE, paper=PAPER)}</pattern>'
        for level, lines in HATCHES.items()
    )


def path_data(points: Sequence[tuple[float, float]], closed: bool, apart: float = 0.1) -> str:
    """Return SVG path data in tenths of a pixel, each point relative to the one before, which halves the size.

    Points nearer than `apart` pixels to the one before are dropped. A shape of almost no extent gives an empty text.
    """
    kept: list[tuple[int, int]] = []
    last_x, last_y, least = math.inf, math.inf, 10 * apart
    for x, y in points:
        if abs(10 * x - last_x) + abs(10 * y - last_y) >= least:
            last_x, last_y = round(10 * x), round(10 * y)
            kept.append((last_x, last_y))
    if len(kept) <= 1 + closed:
        return ""
    steps = (_step(end[axis] - start[axis]) for start, end in itertools.pairwise(kept) for axis in (0, 1))
    return f"M{_tenths(kept[0][0])} {_tenths(kept[0][1])}l{''.join(steps).removeprefix(' ')}" + ("Z" if closed else "")


def dots_data(points: Iterable[tuple[int, int]]) -> str:
    """Return SVG path data of a line without length at each point, which is a dot where it is drawn with round ends.

    points: in whole pixels; each is relative to the one before.
    """
    steps = itertools.pairwise([(0, 0), *points])
    return "".join(f"m{x - from_x}{y - from_y if y < from_y else f' {y - from_y}'}h0" for (from_x, from_y), (x, y) in steps)


@functools.lru_cache(maxsize=16_384)
def _step(value: int) -> str:
    """Return a number of tenths after another number: a minus needs no space before it."""
    return _tenths(value) if value < 0 else f" {_tenths(value)}"


def _tenths(value: int) -> str:
    """Return a number of tenths in short form: "1.3", "-.5", "12", "0"."""
    return f"{value / 10:.1f}".removesuffix(".0").replace("0.", ".", 1) if abs(value) < 10 else f"{value / 10:.1f}".removesuffix(".0")
