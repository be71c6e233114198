"""The sandboxed Jinja environment in which the user's own templates run.

Templates see only what they are given, can access nothing else, and terminate. A template is refused that reads Python internals
(`__globals__`), changes its input, or exceeds the limits on time and size. Two things are not bounded: the memory of a single expression,
and nested loops with an empty body.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import BaseLoader, Environment
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SECONDS = 20.0
MAX_LETTERS = 5_000_000  # characters of one text; a page of 29 recipes has less than a tenth of that
MAX_STEPS = 1_000_000  # summed over all ranges of one text
MAX_REPEATED = 1_000_000  # characters or items in the result of one multiplication
BRINGS_ALONG = ("lipsum", "cycler", "joiner")  # Jinja's own globals, which a report does not need


class Sandbox(ImmutableSandboxedEnvironment):
    """A sandboxed copy of `builtin` that fills one template once, loaded through `loader`."""

    intercepted_binops = frozenset({"*", "**", "%"})

    @classmethod
    def like(cls, builtin: Environment, loader: BaseLoader) -> "Sandbox":
        made = cls(
            loader=loader,
            autoescape=builtin.autoescape,
            undefined=builtin.undefined,
            trim_blocks=builtin.trim_blocks,
            lstrip_blocks=builtin.lstrip_blocks,
        )
        own = {name: value for name, value in builtin.globals.items() if name not in made.globals}
        for name in BRINGS_ALONG:
            made.globals.pop(name, None)
        made.globals |= own | {"range": made.range}
        made._until, made._steps = time.monotonic() + MAX_SECONDS, 0
        return made

    _until = float("inf")
    _steps = 0

    def fill(self, name: str, context: Mapping[str, Any]) -> str:
        """Return the text of the filled template.

        Raises:
            SecurityError: the template does something that is not allowed, or exceeds a limit.
        """
        parts, letters = [], 0
        for part in self.get_template(name).generate(**context):
            self.look_at_the_clock()
            letters += len(part)
            if letters > MAX_LETTERS:
                raise SecurityError(f"the text has more than {MAX_LETTERS:,} letters")
            parts.append(part)
        return "".join(parts)

    def look_at_the_clock(self) -> None:
        if time.monotonic() > self._until:
            raise SecurityError(f"the template takes longer than {MAX_SECONDS:.0f} s")

    def range(self, *bounds: int) -> Iterator[int]:
        """Act as Python's `range`; all ranges of one text together may take MAX_STEPS steps."""
        steps = range(*bounds)
        self._steps += len(steps)
        if self._steps > MAX_STEPS:
            raise SecurityError(f"the ranges of the template have more than {MAX_STEPS:,} steps")
        return iter(steps)

    def getattr(self, obj: Any, attribute: str) -> Any:
        self.look_at_the_clock()
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        self.look_at_the_clock()
        return super().getitem(obj, argument)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        self.look_at_the_clock()
        return super().call(*args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and not (abs(left) <= 1e6 and abs(right) <= 100):
            raise SecurityError("the power is too large")
        if operator == "*":
            for many, times in ((left, right), (right, left)):
                if hasattr(many, "__len__") and isinstance(times, int) and len(many) * times > MAX_REPEATED:
                    raise SecurityError(f"a multiplication makes more than {MAX_REPEATED:,} letters or items")
        if operator == "%" and isinstance(left, str):
            raise SecurityError("the sign % formats no text here; join texts by ~")
        return super().call_binop(context, operator, left, right)
