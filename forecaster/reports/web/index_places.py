"""The places of an index by name: as lines of the page, or, of very many, as data for the search of the page's script."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

Say = Callable[..., str]
MOST_BYTES = 1_100_000  # of the data; a page is to stay below two million


def by_name(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a line for each row (with its `href`): the row, and the title of its group. titles: of groups, by the address of the page."""
    lines = [{"row": row, "group": titles[page_of(row)]} for row in rows]
    return sorted(lines, key=lambda line: (line["row"]["name"].casefold(), line["row"]["number"]))


def page_of(row: Mapping[str, Any]) -> str:
    """Return the address of the page that has the row."""
    return str(row["href"]).partition("#")[0]


def search_data(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str], say: Say) -> Markup | None:
    """Return the same lines as JSON that is safe inside a script element, in 60 to 100 bytes each; None where it is too large for a page.

    pages: [address, title of the group]. places: [number of the page, recipe, name, magnitude, radius, probability, ratio], by name.
    """
    pages = {address: number for number, address in enumerate(titles)}
    places = [
        [
            pages[page_of(row)],
            row["id"],
            row["name"],
            *(str(row[name]) for name in ("magnitude", "radius")),
            say(row["probability"]).replace(" ", "\u00a0"),
            row["ratio"],
        ]
        for row in (line["row"] for line in by_name(rows, titles))
    ]
    text = json.dumps({"pages": list(titles.items()), "places": places}, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Markup(text) if len(text.encode()) <= MOST_BYTES else None
