"""Divide the recipes of a report into groups, a page each: by the recipes' own `group`, else by country; large groups are divided on."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from forecaster.reports.content.contract import RecipeForecast
from forecaster.reports.locales import RULES_OF, territory_text
from forecaster.reports.numbers_as_text import Phrase, plain
from forecaster.zones import country_code_of

MAX_ADDRESS = 40


@dataclass(frozen=True)
class Group:
    """The recipes of one page. `address`: its part of the page's name. part, parts: 1 of 1 where the whole group fits into one page."""

    address: str
    names: tuple[tuple[str, str], ...]  # (language, name), of a recipe's own `group`
    country: str | None  # ISO 3166 code
    recipe_ids: tuple[str, ...]
    part: int = 1
    parts: int = 1

    def name(self, language: str) -> Phrase | str:
        """Return the group's name in the language."""
        if self.names:
            names = dict(self.names)
            return plain(names.get(language) or names[RULES_OF])
        return Phrase("group.sea") if self.country is None else territory_text(self.country, language)

    def title(self, language: str) -> Phrase | str:
        """Return the group's name, with the number of the part where there are several."""
        name = self.name(language)
        return name if self.parts == 1 else Phrase("group.part", {"name": name, "part": self.part, "parts": self.parts})


def groups_of(recipes: Sequence[RecipeForecast], limit: int) -> tuple[Group, ...]:
    """Return the groups, each with at most `limit` recipes, in the order of their English names; none where all recipes fit into one page.

    Every recipe is in exactly one group. A group is divided in the order of its recipes' ids, so a recipe keeps its page from day to day.
    """
    if len(recipes) <= limit:
        return ()
    found: dict[str, list[RecipeForecast]] = {}
    for recipe in sorted(recipes, key=lambda recipe: recipe.recipe_id):
        found.setdefault(_english_name(recipe), []).append(recipe)
    taken: set[str] = set()
    groups = []
    for name, members in sorted(found.items()):
        address = _address(name, taken)
        named = next((recipe.group for recipe in members if recipe.group), {})
        country = country_code_of(members[0].time_zone)
        parts = -(-len(members) // limit)
        bounds = [len(members) * part // parts for part in range(parts + 1)]
        for part in range(parts):
            ids = tuple(recipe.recipe_id for recipe in members[bounds[part] : bounds[part + 1]])
            page = address if parts == 1 else f"{address}_{part + 1}"
            groups.append(Group(page, tuple(sorted(named.items())), country, ids, part + 1, parts))
    return tuple(groups)


def _english_name(recipe: RecipeForecast) -> str:
    """Return the English name of the recipe's group; "" at sea."""
    if recipe.group:
        return recipe.group[RULES_OF]
    code = country_code_of(recipe.time_zone)
    return "" if code is None else territory_text(code, RULES_OF)


def _address(name: str, taken: set[str]) -> str:
    """Return the name in a-z, 0-9 and -, at most MAX_ADDRESS characters, unlike those `taken`, to which it is added."""
    letters = unicodedata.normalize("NFKD", name or "sea").encode("ascii", "ignore").decode().lower()
    address = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:MAX_ADDRESS].strip("-")
    if not address or address in taken:
        address = f"{address}-{sha256(name.encode()).hexdigest()[:8]}".strip("-")
    while address in taken:
        address += "-other"
    taken.add(address)
    return address
