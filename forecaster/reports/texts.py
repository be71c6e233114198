"""The texts of reports in each language, from templates/i18n/<language>.toml.

A further language is one more file, in that folder or in a user's folder. A text that a language lacks is shown in English. The gap is
reported in the log and at the foot of the page (`missing_texts`). A text is a string, or a table of plural forms: `{ one = "...", other =
"..." }`. The form is chosen by the number `count`, or by the number that `by` names.
"""

import functools
import logging
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Any

from forecaster.errors import BadInput
from forecaster.reports.locales import number_text, plural_of
from forecaster.reports.words import Phrase
from forecaster.reports.writing import LanguageWriter, Writer
from forecaster.settings import bundled_folder

logger = logging.getLogger(__name__)

FALLBACK = "en"
FORMS = ("zero", "one", "two", "few", "many", "other")
Text = str | Mapping[str, str]
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def template_folder() -> Path:
    """templates/ of the checkout, or the copy that travels inside the wheel.

    Raises:
        BadInput: neither has them.
    """
    folder = bundled_folder("templates")
    if not (folder / "i18n" / f"{FALLBACK}.toml").is_file():
        raise BadInput(f"no templates in {folder}: install quakecast again")
    return folder


def of_pages(asked: Sequence[str] | None, user_folder: Path | None) -> list[str]:
    """The languages that pages are written in: those asked for (None: all there are), and those that the user's own folder adds."""
    there = languages(user_folder)
    added = sorted(set(there) - set(languages()))
    return list(there) if asked is None else list(dict.fromkeys([*asked, *added]))


def languages(user_folder: Path | None = None) -> list[str]:
    """The languages there is an i18n file for, English first."""
    found = {file.stem for folder in _folders(user_folder) for file in folder.glob("*.toml") if LANGUAGE.fullmatch(file.stem)}
    return sorted(found, key=lambda language: (language != FALLBACK, language))


def read_texts(language: str, user_folder: Path | None = None) -> dict[str, Text]:
    """Dotted key -> text, or its forms by count, of the language's file; a user's file may replace single texts of a built-in one.

    Raises:
        BadInput: there is no such file, or it is none of ours, with its name and what is wrong.
    """
    files = [folder / f"{language}.toml" for folder in _folders(user_folder)] if LANGUAGE.fullmatch(language) else []
    found = [file for file in files if file.is_file()]
    if not found:
        there = ", ".join(languages(user_folder))
        raise BadInput(f"no reports in language {language!r}; there are: {there} (add i18n/<language>.toml for another)")
    return {key: text for file in found for key, text in _read(file, file.stat().st_mtime_ns).items()}


def language_name(language: str, user_folder: Path | None = None) -> str:
    """What the language calls itself; its code where it has no file any more."""
    try:
        return str(read_texts(language, user_folder).get("page.language_name", language))
    except BadInput:
        return language


def missing_texts(language: str, user_folder: Path | None = None) -> list[str]:
    """The keys that this language's file lacks, so that a page says them in English."""
    return sorted(read_texts(FALLBACK).keys() - read_texts(language, user_folder).keys())


def speaker(language: str, user_folder: Path | None = None) -> Callable[..., str]:
    """The function that says phrases and keys in `language`.

    A text that the language lacks, or whose placeholders do not fit, is said in English; an unknown key raises KeyError.
    """
    texts, fallback = read_texts(language, user_folder), read_texts(FALLBACK)

    def spell(value: Any) -> Any:
        """A phrase in words; a whole number with its digits grouped; a tuple as a list in words, with the language's [list] separators."""
        if isinstance(value, Phrase):
            return say(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return number_text(value, language)
        if not isinstance(value, tuple):
            return value
        *before, last = [str(spell(each)) for each in value]
        return say("list.between").join(before) + say("list.last") + last if before else last

    def say(phrase: Phrase | str, **values: Any) -> str:
        key, filled = (phrase.key, {**phrase.values, **values}) if isinstance(phrase, Phrase) else (phrase, values)
        spoken = {name: spell(value) for name, value in filled.items()}
        if key in texts:
            try:
                return _form(texts[key], filled, language).format_map(spoken)
            except (KeyError, ValueError, IndexError, AttributeError) as error:
                if key not in fallback:
                    raise
                logger.warning("i18n/%s.toml: the text %s cannot be filled (%r); English is used", language, key, error)
        return _form(fallback[key], filled, FALLBACK).format_map(spoken)

    return say


def _form(text: Text, values: Mapping[str, Any], language: str) -> str:
    """The text, in the form that the language has for its count."""
    if isinstance(text, str):
        return text
    count = values.get(text.get("by", "count"))
    form = plural_of(count, language) if isinstance(count, int | float) else "other"
    return text.get(form, text["other"])


def day_writer(language: str, user_folder: Path | None = None) -> Writer:
    """What writes days and moments as the language's [date] table says; where that does not fit, in ISO form."""
    return LanguageWriter(language, speaker(language, user_folder))


def tell_missing(language: str, user_folder: Path | None = None) -> int:
    """How many texts the language lacks; they are named in the log, once a process."""
    missing = missing_texts(language, user_folder)
    if missing:
        _warn(language, tuple(missing))
    return len(missing)


@functools.cache
def _warn(language: str, missing: tuple[str, ...]) -> None:
    named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    logger.warning("i18n/%s.toml lacks %d texts, which are said in English: %s", language, len(missing), named)


def _folders(user_folder: Path | None) -> list[Path]:
    return [folder / "i18n" for folder in (template_folder(), user_folder) if folder is not None]


@functools.lru_cache(maxsize=32)
def _read(file: Path, changed: int) -> dict[str, Text]:
    """The texts of a file; `changed` makes an edited file another entry."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
        found = {f"{table}.{key}": text for table, entries in tables.items() for key, text in entries.items()}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError) as error:
        raise BadInput(f"{file} cannot be read as texts of a language ({error}); mend or remove it") from None
    if wrong := [key for key, text in found.items() if not _is_text(text)]:
        raise BadInput(f'{file}: {wrong[0]} is no text; write it in quotes, or as {{ one = "...", other = "..." }}')
    if wrong := [key for key, text in found.items() if not all(map(_fills_in_names, text.values() if isinstance(text, dict) else [text]))]:
        raise BadInput(f"{file}: {wrong[0]} fills in more than a name; write {{name}}, without . [ and wide numbers")
    return found


def _is_text(text: Any) -> bool:
    """A string, or strings by plural form, of which `other` must be there."""
    if isinstance(text, dict):
        return "other" in text and set(text) <= {*FORMS, "by"} and all(isinstance(form, str) for form in text.values())
    return isinstance(text, str)


def _fills_in_names(text: str) -> bool:
    """Whether a text asks for values by their names only: not for what hangs on them, nor for a width that would fill the memory."""
    try:
        fields = [(name or "", form or "") for _, name, form, _ in Formatter().parse(text)]
    except ValueError:
        return True  # it cannot be filled at all, which is told when it is
    return not any(set(name) & set(".[") or set(form) & set("{[") or re.search(r"\d{3}", form) for name, form in fields)
