"""The environment of templates of one's own: they see what they are given, reach nothing else, and come to an end.

A template that reaches for Python's insides (`__globals__`), changes what it was given, or takes too long or too much is refused. What is
not bounded: the memory of a single expression, and loops inside one another that do nothing at all.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import BaseLoader, Environment
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SECONDS = 20.0
MAX_LETTERS = 5_000_000  # of a text; a page of 29 recipes has less than a tenth
MAX_STEPS = 1_000_000  # of all ranges of a text together
MAX_REPEATED = 1_000_000  # letters or items that one multiplication makes
BRINGS_ALONG = ("lipsum", "cycler", "joiner")  # jinja's own, which a report has no use for


class Sandbox(ImmutableSandboxedEnvironment):
    """Like `builtin`, for one text of one template by way of `loader`."""

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
        """The text of a template.

        Raises:
            SecurityError: it does what it must not, or too much.
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
        """As Python's; a text takes MAX_STEPS steps in all of its ranges."""
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
