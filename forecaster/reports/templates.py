"""Fill templates, preferring the user's own.

A file in the user's folder replaces the built-in template of the same name, unless it is broken. The user's templates are filled in a
sandbox.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, TemplateSyntaxError

from forecaster.reports.sandbox import Sandbox

logger = logging.getLogger(__name__)


def fill(
    builtin: Environment,
    name: str,
    context: Mapping[str, Any],
    user_folder: Path | None = None,
    problems: list[str] | None = None,
    check: Callable[[str], object] | None = None,
) -> str:
    """Return the text of template `name`.

    If a user's template cannot be filled, the problem is reported with file and line, and the built-in template is used.

    Args:
        builtin: environment of the built-in templates; the user's templates get its functions and rules.
        user_folder: folder of the user's templates; they may include and import built-in ones, and replace what those import.
        problems: reported problems are appended to this list; they are logged as well.
        check: raises ValueError where a text cannot be used, for example because it is not JSON.
    """
    if user_folder is not None and user_folder.is_dir():
        sandbox = Sandbox.like(builtin, ChoiceLoader([FileSystemLoader(user_folder), builtin.loader]))  # type: ignore[list-item]
        try:
            text = sandbox.fill(name, context)
            if check is not None:
                check(text)
            return text
        except Exception as error:  # noqa: BLE001  a user's template may raise anything
            problem = _problem(error, name, user_folder)
            if problem is not None:
                logger.warning(problem)
                if problems is not None and problem not in problems:
                    problems.append(problem)
    return builtin.get_template(name).render(**context)


def _problem(error: Exception, name: str, user_folder: Path) -> str | None:
    """Return what is wrong in which line of the user's template.

    Return None where no file of the user is involved: then the fault lies in the built-in templates.
    """
    places = []
    if isinstance(error, TemplateSyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    trace = error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    mine = [f"{file}, line {line}" for file, line in places if Path(file).is_relative_to(user_folder)]
    if not mine and not (user_folder / name).exists():
        return None
    place = str(user_folder / name) if not mine else mine[0] if isinstance(error, TemplateSyntaxError) else mine[-1]
    description = " ".join(str(error).split())[:200]
    return f"template {place}: {description} ({type(error).__name__}); the built-in {name} is used, mend or remove yours"
