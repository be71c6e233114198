"""Lines about the progress of a training, for those who wait."""

from collections.abc import Callable

Teller = Callable[[str], None]
EVERY = 25  # circles between two lines; batches, four times as many


def on_places(tell: Teller, what: str, counted: str = "circles") -> Callable[[int], None]:
    """Return a function that is called after each place, with its number from 0."""

    def on_place(number: int) -> None:
        if (number + 1) % EVERY == 0:
            tell(f"{what}: {number + 1} {counted}")

    return on_place


def on_batches(tell: Teller, what: str) -> Callable[[int, int], None]:
    """Return a function that is called after each batch, with those done and how many there are."""

    def on_step(done: int, steps: int) -> None:
        if done % (EVERY * 4) == 0 or done == steps:
            tell(f"{what}: {done} of {steps} batches")

    return on_step
