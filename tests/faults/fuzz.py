"""Hostile recipes, arguments and templates by the thousand: only errors that are documented may come of them, each within a second or so.

    check_recipes(count, seed)   check_arguments(count, seed, home)   check_templates(count, seed, folder)

Everything is drawn from the seed and the case's number alone; a finding names both.
"""

import json
import logging
import os
import random
import re
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import click
from click.testing import CliRunner

from forecaster.cli import main
from forecaster.errors import QuakecastError
from forecaster.recipe import load_recipes, parse_recipe
from forecaster.reports.outgoing.letters import MessageLetter, ReportLetter
from forecaster.reports.outgoing.message import Message
from forecaster.store.database import open_store
from forecaster.store.sharing.publish import publish
from forecaster.timewindow import issue_time
from tests.support import tiny
from tests.support.sample_report import sample_report

ROOT = Path(__file__).resolve().parents[2]
SLOW_S = 60.0  # of one case, on a busy machine; alerts are rehearsed over months
HOSTILE = [
    *("", " ", "\0", "a\0b", "\ud800", "\u202e", "\uffff", "é" * 300, "x" * 100_000, "../../etc/passwd", "/dev/null", "-", "--", "~"),
    *("nan", "inf", "-inf", "1e999", "9" * 5_000, "-1", "0", "1", "2024-02-30", "2024-01-02", "9999-12-31", "0001-01-01", "tokyo-m45"),
    *("2024-01-02T00:00:00Z", "Asia/Tokyo", "Asia/Nowhere", "35.7,139.7", "91,181", "<script>", "{{ 7 * 7 }}", "%s%n", "';--", "\r\n"),
]
TOML_VALUES = [
    *("1", "-1", "0", "2", "5", "7", "11", "30", "0.5", "4.5", "100000", "[]", '"regional"', "1e400", "nan", "-inf", "true", '""', '"a"'),
    *('"\\u0000"', "{}", "[[[]]]", "1979-05-27", "23:30:00", "24:00:00", "9" * 5_000, "0x" + "f" * 5_000, "[" * 3_000, "{a=" * 3_000),
    *('"' + "x" * 100_000 + '"', "'''", "[1, 'a', {b=[]}]", "0.1", "1_0", '"Asia/Tokyo"', '"posixrules"', '"../x"', "90.1", "-180.1"),
    *("1e308", "3.000000000000000001", "23:30:59.5", "2024-01-01T00:00:00Z"),
]
JINJA = [
    *("{{ x }}", "{{ 1 / 0 }}", "{% for i in range(10) %}{{ i }}{% endfor %}", "{% include 'email.txt.j2' %}", "{{ title.__class__ }}"),
    *("{% extends 'message.txt.j2' %}", "{{ cycler.__init__.__globals__ }}", "{% if", "{{ t('x') }}", "{{ lines | join('') }}", "\0"),
    *("{{ ''.join(0) }}", "{{ title[9:] }}", "{% set a = a %}{{ a }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{# ", "\ud7ff"),
    *("{{ 'a' | no }}", "{% raw %}", "{{ lines | map(attribute='x') | list }}", "{{ caller() }}", "{% import 'no' as n %}"),
    *("{{ self.body() }}", "{{ 2 ** 4000 }}"),
]
# Commands that last, start processes or ask the network are left out; `backfill` plans only.
LEFT_OUT = {"serve", "worker", "run", "deploy", "train", "evaluate", "pull"}


@dataclass
class Fuzzed:
    """How often what came of it, and what must not come: (case, what)."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def case(self, name: str, act: Callable[[], str]) -> None:
        began = time.monotonic()
        try:
            self.outcomes[act()] += 1
        except QuakecastError as error:
            self.outcomes[type(error).__name__] += 1
        except Exception as error:  # noqa: BLE001 - that is the finding
            self.outcomes[f"! {type(error).__name__}"] += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.wrong.append(f"{name}: {type(error).__name__}: {str(error)[:200]!r} in {Path(where.filename).name}:{where.lineno}")
        took = time.monotonic() - began
        self.slowest_s = max(self.slowest_s, took)
        if took > SLOW_S:
            self.wrong.append(f"{name}: took {took:.1f} s")


def cases(count: int, seed: int, until: float) -> Iterator[tuple[str, random.Random]]:
    for number in range(count):
        if time.monotonic() > until:
            return
        yield f"seed {seed}, case {number}", random.Random(f"{seed}/{number}")


@contextmanager
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def hostile_recipe(draw: random.Random) -> bytes:
    """A bundled recipe with one to four changes: of a value, a line, a byte."""
    text = draw.choice(_bundled_recipes())
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        lines = text.split("\n")
        place = draw.randrange(len(lines))
        act = draw.randrange(6)
        if act <= 2 and "=" in lines[place]:
            lines[place] = f"{lines[place].partition('=')[0]}= {draw.choice(TOML_VALUES)}"
        elif act == 3:
            lines.insert(place, draw.choice(lines))
        elif act == 4:
            del lines[place]
        else:
            lines[place] += f"\n{draw.choice(['x', 'alerts', 'id', 'models', 'a.b', '[z]'])} = {draw.choice(TOML_VALUES)}"
        text = "\n".join(lines)
    body = text.encode("utf-8", errors="surrogatepass")
    if draw.random() < 0.2 and body:
        place = draw.randrange(len(body))
        body = body[:place] + bytes([draw.randrange(256)]) + body[place + draw.randrange(3) :]
    return body


def _bundled_recipes() -> list[str]:
    if not _TEXTS:
        _TEXTS.extend(path.read_text(encoding="utf-8") for path in sorted((ROOT / "recipes").rglob("*.toml")))
    return _TEXTS


_TEXTS: list[str] = []


def check_recipes(count: int, seed: int, folder: Path, until: float = float("inf")) -> Fuzzed:
    """Recipes that are read from a folder; what is accepted must give a window and an issue time on any day."""
    found = Fuzzed()
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in cases(count, seed, until):
        body = hostile_recipe(draw)
        stem = re.search(rb'^id = "([a-z0-9-]{1,60})"', body, re.MULTILINE)
        file = f"{stem.group(1).decode() if stem else 'athens'}.toml"
        found.case(name, lambda body=body, file=file, draw=draw: _read_recipe(body, file, draw, folder))
    return found


def _read_recipe(body: bytes, file: str, draw: random.Random, folder: Path) -> str:
    if draw.random() < 0.1:  # as a file
        path = folder / file
        path.write_bytes(body)
        try:
            (recipe,) = load_recipes(folder).values()
        finally:
            path.unlink()
    else:
        recipe = parse_recipe(body.decode("utf-8", errors="replace"), file)
    day = date(1973, 1, 1).fromordinal(date(1973, 1, 1).toordinal() + draw.randrange(23_000))
    window = recipe.target_window(day)
    assert window.start < window.end and len(recipe.recipe_hash) >= 8 and len(recipe.target_hash) >= 8
    assert issue_time(day, recipe.zone, recipe.issue_local_time).tzinfo is not None
    return "accepted"


def leaf_commands(group: click.Group = main, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command that is fuzzed, with the words that call it."""
    found = []
    for name, command in sorted(group.commands.items()):
        if not path and name in LEFT_OUT:
            continue
        words = (*path, name)
        found += leaf_commands(command, words) if isinstance(command, click.Group) else [(words, command)]
    return found


def hostile_arguments(draw: random.Random, home: Path) -> list[str]:
    """A command line: a command, some of its options with values that are likely or hostile, sometimes words out of place."""
    words, command = draw.choice(leaf_commands())
    line = ["--home", draw.choice(HOSTILE) if draw.random() < 0.03 else str(home)]
    line += list(words)
    for parameter in command.params:
        if draw.random() > 0.35:
            continue
        if isinstance(parameter, click.Argument):
            line += [_value(parameter, draw)]
        elif isinstance(parameter, click.Option):
            line.append(draw.choice(parameter.opts))
            line += [] if parameter.is_flag else [_value(parameter, draw) for _ in range(max(1, parameter.nargs))]
    if draw.random() < 0.1:
        line.insert(draw.randrange(len(line) + 1), draw.choice(HOSTILE))
    if words[0] == "backfill" and "--dry-run" not in line:
        line.append("--dry-run")
    return line


def _value(parameter: click.Parameter, draw: random.Random) -> str:
    if isinstance(parameter.type, click.Choice) and draw.random() < 0.7:
        return str(draw.choice(list(parameter.type.choices)))
    if draw.random() < 0.4:
        return draw.choice(["tokyo-m45", "athens", "2024-01-02", "2024-01-01", "1", "0.5", "35.7", "139.7", "SELECT 1", "en", "x"])
    return draw.choice(HOSTILE)


def small_home(home: Path) -> Path:
    """A home with two years of toy earthquakes, one recipe and a published copy, for command lines to work on."""
    store = open_store(home / "quakecast.duckdb")
    tiny.fill(store, datetime(2024, 1, 2, tzinfo=UTC), sign=True, start=datetime(2022, 1, 2, tzinfo=UTC))
    tiny.write_tiny_recipe(home / "recipes", models='["etas"]')
    publish(store, home / "published" / "quakecast.duckdb")
    return home


def check_arguments(count: int, seed: int, home: Path, until: float = float("inf")) -> Fuzzed:
    """Command lines on a small home: exit codes 0 to 3 only, and no traceback. Whatever they write lies below `home`'s folder."""
    found, runner = Fuzzed(), CliRunner(env={"QUAKECAST_RECIPES": str(home / "recipes")})
    work = home.parent / "work"
    work.mkdir(exist_ok=True)
    before = Path.cwd()
    os.chdir(work)
    try:
        for name, draw in cases(count, seed, until):
            line = hostile_arguments(draw, home)
            found.case(f"{name}: quakecast {json.dumps([word[:60] for word in line[2:]])}", lambda line=line: _call(runner, line))
    finally:
        os.chdir(before)
    return found


def _call(runner: CliRunner, line: list[str]) -> str:
    result = runner.invoke(main, line, catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1, 2, 3), f"exit code {result.exit_code}"
    assert "Traceback" not in result.output, result.output[-300:]
    return f"exit code {result.exit_code}"


def hostile_template(draw: random.Random, builtin: str) -> bytes:
    """A built-in template with pieces cut, doubled and put in, or pieces alone."""
    text = builtin if draw.random() < 0.7 else ""
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(text) + 1)
        added, cut = ("", draw.randrange(60)) if draw.random() < 0.3 else (draw.choice(JINJA), 0)
        text = text[:place] + added + text[place + cut :]
    body = text.encode("utf-8", errors="replace")
    return body if draw.random() < 0.95 else body + bytes([draw.randrange(128, 256)])


def check_templates(count: int, seed: int, folder: Path, until: float = float("inf")) -> Fuzzed:
    """Templates of the user's: the message is made whatever they hold, and what was wrong with them is told."""
    found = Fuzzed()
    folder.mkdir(parents=True, exist_ok=True)
    builtin = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "templates").glob("*.j2"))}
    names = [name for name in builtin if name not in ("skill.html.j2", "index.html.j2", "report.html.j2")]
    message = Message("m", "alert", "Niigata: 21 %", ("line",), datetime(2024, 1, 2, 12, tzinfo=UTC))
    data = sample_report()
    data = replace(data, recipes=data.recipes[:2])
    for case, draw in cases(count, seed, until):
        name = draw.choice(names)
        path = folder / name
        path.write_bytes(hostile_template(draw, builtin[name]))
        report = draw.random() < 0.2 and "email" not in name  # pictures of a mail take half a second
        letter = ReportLetter(data, "en", None, folder) if report else MessageLetter(message, "en", folder)
        found.case(f"{case}: {name}", lambda letter=letter, report=report: _filled(letter, mail=not report))
        path.unlink()
    return found


def _filled(letter: ReportLetter | MessageLetter, *, mail: bool) -> str:
    if mail:
        said = letter.mail()
        assert said.subject.strip() or letter.problems is not None
    letter.document(), letter.slack(False), letter.chat(False)
    return "told" if letter.problems else "used"
