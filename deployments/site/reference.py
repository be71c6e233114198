"""Make the pages of docs/reference from the code: `python deployments/site/reference.py` writes them, --check says which are old.

A test (tests/unit/test_docs_site.py) holds that the pages are current.
"""

import importlib
import inspect
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import forecaster
from forecaster.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- made by `make docs-reference`; change the code, not this page -->\n"
WIDTH = 110


def commands() -> str:
    """Every command with its help, as the terminal shows it."""
    from forecaster.cli import main

    parts = [
        "# Commands\n",
        "Exit codes: 0 success, 1 failure, 2 bad input, 3 partial (done, but something is missing; the output says what).\n"
        "`status --check` has those of a monitor: 0 OK, 1 warning, 2 critical. Most commands\n"
        "take `--json`.\n",
    ]
    parts += [f"## {words}\n\n```text\n{text}\n```\n" for words, text in _helps(main, "quakecast", None)]
    return "\n".join(parts)


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    yield context.command_path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            if (found := command.get_command(context, each)) is not None:
                yield from _helps(found, each, context)


def settings() -> str:
    """Every environment variable, from the commented file that `quakecast init` writes."""
    lines = (ROOT / "deployments" / ".env.example").read_text(encoding="utf-8").splitlines()
    parts = [
        "# Settings\n",
        "Settings are environment variables. `quakecast init` writes a file with all of them; `quakecast --home FOLDER` and\n"
        "`--log-format` win over the variable. A misspelt name is an error. Behind a proxy there are `HTTPS_PROXY` and its like, too:\n"
        "`docs/how-to/network.md`.\n",
    ]
    comments: list[str] = []
    for line in lines[next(at for at, line in enumerate(lines) if line.startswith("# ---")) :]:
        if line.startswith("# --- "):
            parts.append(f"## {line[6].upper()}{line[7:]}\n\n| variable | default | limits | what it is |\n|---|---|---|---|\n")
        elif found := re.match(r"#?(QUAKECAST_([A-Z_]+))=(.*)", line):
            parts[-1] += f"| `{found[1]}` | {_code(found[3])} | {_limits(found[2].lower())} | {_cell(' '.join(comments))} |\n"
            comments = []
        elif line.startswith("# "):
            comments.append(line.removeprefix("# "))
    return "\n".join(parts)


def _limits(name: str) -> str:
    field = Settings.model_json_schema()["properties"][name]
    low, high = field.get("minimum"), field.get("maximum")
    if "enum" in field:
        return " or ".join(_code(each) for each in field["enum"])
    if low is not None:
        return f"{low} to {high}" if high is not None else f"{low} or more"
    return {"boolean": "`true` or `false`", "array": "a list, by commas"}.get(field.get("type", ""), "")


def database() -> str:
    """The views, tables and macros with their columns' comments, from an empty database of this version."""
    from forecaster.store.database import open_store
    from forecaster.store.engine import COLUMNS, RELATIONS

    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "q.duckdb").transaction() as connection:
        relations = sorted(connection.execute(RELATIONS).fetchall())
        columns = {name: connection.execute(COLUMNS, [name]).fetchall() for name, _, _ in relations}
    parts = [
        "# Views and tables\n",
        "What stands in the published copy of the database. `quakecast sql --describe NAME` prints the same. Ask the views first:\n"
        "they keep their names. How to ask, and ten questions with answers: `docs/QUERIES.md`.\n",
    ]
    for kind, heading in (("view", "Views"), ("table", "Tables")):
        parts.append(f"## {heading}\n")
        for name, _, comment in (relation for relation in relations if relation[1] == kind):
            rows = [f"| `{column}` | {type_} | {_cell(told)} |\n" for column, type_, told in columns[name]]
            parts.append(f"### {name}\n\n{_cell(comment)}\n\n| column | type | what it is |\n|---|---|---|\n{''.join(rows)}")
    return "\n".join(parts)


def json_files() -> str:
    """The fields of every JSON document, from its schema."""
    parts = [
        "# JSON files and webhook\n",
        "Every document is checked against its JSON Schema (2020-12) before it is written or sent. The schemas come with the package,\n"
        "in `forecaster/reports/schemas/`. Numbers are never NaN; a missing one is null. `[]` stands for each item of a\n"
        "list, `*` for any key.\n",
    ]
    for path in sorted((ROOT / "forecaster" / "reports" / "schemas").glob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        rows = "".join(f"| `{name}` | {kind} | {told} |\n" for name, kind, told in _fields(schema, schema, "", ()) if name)
        told = _cell(schema.get("description"))
        parts.append(f"## {path.name.removesuffix('.schema.json')}\n\n{told}\n\n| field | type | what it is |\n|---|---|---|\n{rows}")
    return "\n".join(parts)


def _fields(schema: dict[str, Any], whole: dict[str, Any], name: str, seen: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """(path, type, description) of a schema and of all below it; a $ref is followed once on each path."""
    told = schema.get("description", "")
    while "$ref" in schema:
        if schema["$ref"] in seen:
            return
        seen += (schema["$ref"],)
        found: Any = whole
        for key in schema["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        schema, told = found, told or found.get("description", "")
    kinds = schema.get("type") or ("one of a list" if "enum" in schema else "const" if "const" in schema else "")
    values = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    kind = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    yield name, ", ".join(_code(value) for value in values) or kind, _cell(told)
    for key, each in schema.get("properties", {}).items():
        yield from _fields(each, whole, f"{name}.{key}" if name else key, seen)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _fields(schema["additionalProperties"], whole, f"{name}.*", seen)
    if isinstance(schema.get("items"), dict):
        yield from _fields(schema["items"], whole, f"{name}[]", seen)
    for each in [*schema.get("oneOf", []), *schema.get("anyOf", []), *schema.get("allOf", [])]:
        yield from (row for row in _fields(each, whole, name, seen) if row[0] != name)


def python() -> str:
    """The public names of the library, with their signatures and docstrings."""
    parts = ["# Python\n", f"```text\n{inspect.getdoc(forecaster)}\n```\n"]
    for name in forecaster.__all__:
        found = getattr(forecaster, name)
        home = importlib.import_module(found.__module__).__name__
        parts.append(f"## {name}\n\n`{home}`\n\n```python\n{_signature(name, found)}\n```\n\n```text\n{inspect.getdoc(found)}\n```\n")
        if inspect.isclass(found) and not hasattr(found, "model_fields"):
            methods = [(each, value) for each, value in vars(found).items() if not each.startswith("_") and inspect.getdoc(value)]
            parts += [
                f"- `{each}`: {_cell(inspect.getdoc(value).splitlines()[0])}\n"
                for each, value in methods
                if callable(value) or isinstance(value, (classmethod, property))
            ]
    return "\n".join(parts)


def _signature(name: str, found: Any) -> str:
    if hasattr(found, "model_fields"):
        return f"class {name}  # fields: {'docs/RECIPES.md' if name == 'Recipe' else 'docs/reference/settings.md'}"
    if inspect.isclass(found) and issubclass(found, Exception):
        return f"class {name}({found.__base__.__name__})"
    text = str(inspect.signature(found))
    text = re.sub(r"<[^<>]*>", "...", text.replace("'", "").replace("pandas.core.frame.DataFrame", "pandas.DataFrame"))
    plain = re.sub(r"(?:[a-z_]+[.])+([A-Z])", r"\1", text)
    return f"{'class ' if inspect.isclass(found) else ''}{name}{plain}"


def _code(value: Any) -> str:
    return f"`{value}`" if value not in ("", None) else ""


def _cell(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").replace("|", "\\|").strip()


def index() -> str:
    """The list of the pages."""
    return """# Reference

Pages made from the code, which a test keeps current:

| page | what |
|---|---|
| [Commands](cli.md) | every command of `quakecast`, with its options |
| [Settings](settings.md) | every environment variable |
| [Views and tables](database.md) | every column of the database |
| [JSON files and webhook](json.md) | every field of what is written and sent |
| [Python](python.md) | the public names of the library |
| [Fields of a recipe](../RECIPES.md#all-fields) | every field of a recipe file |

Written by hand: [questions to the database](../QUERIES.md) and the [glossary](../GLOSSARY.md).
"""


PAGES = {"index": index, "cli": commands, "settings": settings, "database": database, "json": json_files, "python": python}


def outdated() -> list[str]:
    """Names of pages that are not what the code says now."""
    return [name for name, make in PAGES.items() if _read(FOLDER / f"{name}.md") != _whole(make())]


def _whole(text: str) -> str:
    head, _, rest = text.partition("\n")
    return re.sub(r"\n{3,}", "\n\n", f"{head}\n\n{MADE}\n{rest.strip()}\n")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main() -> None:
    """Write the pages, or with --check end with 1 where one is old."""
    if "--check" in sys.argv:
        old = outdated()
        sys.exit(f"not current: {', '.join(old)}; run `make docs-reference`" if old else 0)
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / f"{name}.md").write_text(_whole(make()), encoding="utf-8")


if __name__ == "__main__":
    main()
