"""The texts of reports in each language, from templates/i18n/<language>.toml.

A further language is one more file, in that folder or in a user's folder. A text that a language lacks is shown in English. The gap is
reported in the log and at the foot of the page (`missing_texts`). A text is a string, or a table of plural
forms: `{ one = "...", other = "..." }`. The form is chosen by the number `count`, or by the number that `by` names.
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
from forecaster.reports.dates_as_text import LanguageWriter, Writer
from forecaster.reports.locales import number_text, plural_of
from forecaster.reports.numbers_as_text import Phrase
from forecaster.settings import bundled_folder

logger = logging.getLogger(__name__)

MAX_KEPT = 20_000  # filled-in texts that are kept for a language
FALLBACK = "en"
FORMS = ("zero", "one", "two", "few", "many", "other")
Text = str | Mapping[str, str]
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def template_folder() -> Path:
    """Return the folder templates/ of the checkout, or the copy inside the wheel.

    Raises:
        BadInput: neither exists.
    """
    folder = bundled_folder("templates")
    if not (folder / "i18n" / f"{FALLBACK}.toml").is_file():
        raise BadInput(f"no templates in {folder}: install quakecast again")
    return folder


def of_pages(asked: Sequence[str] | None, user_folder: Path | None) -> list[str]:
    """Return the languages in which pages are written: those requested (None: all available), and those that the user's folder adds."""
    there = languages(user_folder)
    added = sorted(set(there) - set(languages()))
    return list(there) if asked is None else list(dict.fromkeys([*asked, *added]))


def languages(user_folder: Path | None = None) -> list[str]:
    """Return the languages that have an i18n file, English first."""
    found = {file.stem for folder in _folders(user_folder) for file in folder.glob("*.toml") if LANGUAGE.fullmatch(file.stem)}
    return sorted(found, key=lambda language: (language != FALLBACK, language))


def read_texts(language: str, user_folder: Path | None = None) -> dict[str, Text]:
    """Return dotted key -> text, or its plural forms, from the language's file.

    A user's file may replace single texts of a built-in one.

    Raises:
        BadInput: the file does not exist or is not an i18n file; the message has its name and what is wrong.
    """
    files = [folder / f"{language}.toml" for folder in _folders(user_folder)] if LANGUAGE.fullmatch(language) else []
    found = [file for file in files if file.is_file()]
    if not found:
        there = ", ".join(languages(user_folder))
        raise BadInput(f"no reports in language {language!r}; there are: {there} (add i18n/<language>.toml for another)")
    return {key: text for file in found for key, text in _read(file, file.stat().st_mtime_ns).items()}


def language_name(language: str, user_folder: Path | None = None) -> str:
    """Return the language's own name for itself, or its code where its file no longer exists."""
    try:
        return str(read_texts(language, user_folder).get("page.language_name", language))
    except BadInput:
        return language


def missing_texts(language: str, user_folder: Path | None = None) -> list[str]:
    """Return the keys that this language's file lacks; pages show these texts in English."""
    return sorted(read_texts(FALLBACK).keys() - read_texts(language, user_folder).keys())


def translator(language: str, user_folder: Path | None = None) -> Callable[..., str]:
    """Return the function that translates phrases and keys into `language`.

    A text that the language lacks, or whose placeholders do not fit, is given in English. An unknown key raises KeyError.
    """
    texts, fallback = read_texts(language, user_folder), read_texts(FALLBACK)

    def as_text(value: Any) -> Any:
        """Return a value as text for a placeholder.

        A phrase is translated, a whole number gets grouped digits, and a tuple becomes a list with the language's [list] separators.
        """
        if isinstance(value, Phrase):
            return say(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return number_text(value, language)
        if not isinstance(value, tuple):
            return value
        *before, last = [str(as_text(each)) for each in value]
        return say("list.between").join(before) + say("list.last") + last if before else last

    kept: dict[Any, str] = {}

    def say(phrase: Phrase | str, **values: Any) -> str:
        name = None if values else _name_of(phrase)
        if name is None:
            return fill(phrase, values)
        if (text := kept.get(name)) is None:
            if len(kept) >= MAX_KEPT:
                kept.clear()
            text = kept[name] = fill(phrase, values)
        return text

    def fill(phrase: Phrase | str, values: dict[str, Any]) -> str:
        key, filled = (phrase.key, {**phrase.values, **values}) if isinstance(phrase, Phrase) else (phrase, values)
        shown = {name: as_text(value) for name, value in filled.items()}
        if key in texts:
            try:
                return _form(texts[key], filled, language).format_map(shown)
            except (KeyError, ValueError, IndexError, AttributeError) as error:
                if key not in fallback:
                    raise
                logger.warning("i18n/%s.toml: the text %s cannot be filled (%r); English is used", language, key, error)
        return _form(fallback[key], filled, FALLBACK).format_map(shown)

    return say


def _name_of(phrase: Phrase | str) -> Any:
    """Return what tells this phrase from all others, so that its text can be kept; None where it holds more than texts and integers."""
    if isinstance(phrase, str):
        return phrase
    values = phrase.values.values()
    return (phrase.key, *phrase.values, *values) if all(type(value) is str or type(value) is int for value in values) else None


def _form(text: Text, values: Mapping[str, Any], language: str) -> str:
    """Return the text in the language's plural form for its count."""
    if isinstance(text, str):
        return text
    count = values.get(text.get("by", "count"))
    form = plural_of(count, language) if isinstance(count, int | float) else "other"
    return text.get(form, text["other"])


def day_writer(language: str, user_folder: Path | None = None) -> Writer:
    """Return the writer of days and times by the language's [date] table; where that table does not fit, it writes ISO form."""
    return LanguageWriter(language, translator(language, user_folder))


def log_missing(language: str, user_folder: Path | None = None) -> int:
    """Return how many texts the language lacks, and name them in the log once per process."""
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
    """Read the texts of a file; the argument `changed` gives an edited file a cache entry of its own."""
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
    """Return whether `text` is a string, or a table of strings by plural form that contains `other`."""
    if isinstance(text, dict):
        return "other" in text and set(text) <= {*FORMS, "by"} and all(isinstance(form, str) for form in text.values())
    return isinstance(text, str)


def _fills_in_names(text: str) -> bool:
    """Return whether the placeholders of a text are plain names.

    Attributes and items of values are refused, and so are field widths, which could fill the memory.
    """
    try:
        fields = [(name or "", form or "") for _, name, form, _ in Formatter().parse(text)]
    except ValueError:
        return True  # a malformed text is reported when it is filled
    return not any(set(name) & set(".[") or set(form) & set("{[") or re.search(r"\d{3}", form) for name, form in fields)
