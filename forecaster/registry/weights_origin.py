"""Where the weights of a published forecast come from, as it is stored with the forecast and told to readers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal


@dataclass(frozen=True)
class WeightsFrom:
    """The source of the weights of a published forecast.

    kind: decided by a person, the plain mean, a set of the package, or learnt from the recipe's own days or from those of all recipes.
    until: the last day that a set of the package was learnt from.
    """

    kind: Literal["person", "mean", "package", "own", "world"]
    until: date | None = None

    def stored(self) -> dict[str, str]:
        """Return the source as a JSON object."""
        return {"kind": self.kind} | ({"until": self.until.isoformat()} if self.until else {})

    @classmethod
    def of_stored(cls, kept: Mapping[str, Any]) -> "WeightsFrom":
        """Return the source of a JSON object."""
        return cls(kept["kind"], date.fromisoformat(kept["until"]) if "until" in kept else None)
