"""Languages: a third is one file, a missing text is said in English and told, a broken file is one clear line."""

import logging
import shutil
import string
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from forecaster.errors import BadInput
from forecaster.reports import texts
from forecaster.reports.numbers_as_text import Phrase
from forecaster.reports.outgoing.mails import render_email
from forecaster.reports.render import render_report
from tests.support.sample_report import sample_report, some_places

GERMAN = """
[page]
language_name = "Deutsch"
for_period = "Vorhersage für {period}"
[date]
day = "{weekday}, {day}. {month} {year}"
weekdays = "Mo Di Mi Do Fr Sa So"
months = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
[table]
usual = "Üblich"
"""
WITH_GERMAN = ["en", *sorted({*texts.languages(), "de"} - {"en"})]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with one i18n file."""
    (tmp_path / "i18n").mkdir()
    (tmp_path / "i18n" / "de.toml").write_text(GERMAN, encoding="utf-8")
    texts._warn.cache_clear()
    return tmp_path


def test_every_language_has_the_same_keys_and_placeholders() -> None:
    def placeholders(text: texts.Text) -> set[str]:
        """Of all forms together: "once" need not name the number."""
        forms = [text] if isinstance(text, str) else [text[form] for form in texts.FORMS if form in text]
        return {name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name}

    def named(language: str) -> dict[str, set[str]]:
        """Only English repeats the English text of a fault or of a receiver."""
        every = texts.read_texts(language)
        english = {"reason.other", "alert.ops_dead_letters"} | {key for key in every if key.startswith("reason.fault_")}
        return {key: placeholders(text) for key, text in every.items()} | {key: set[str]() for key in english}

    assert len(named("en")) > 100
    for language in texts.languages():
        assert named(language) == named("en")


def test_a_count_takes_the_form_of_its_language(folder: Path) -> None:
    english, japanese = texts.translator("en"), texts.translator("ja")
    assert [english("index.count", count=count) for count in (0, 1, 2, 12_345)] == ["0 reports", "1 report", "2 reports", "12,345 reports"]
    assert [japanese("index.count", count=count) for count in (1, 12_345)] == ["1件の報告", "12,345件の報告"]
    polish = '[index]\ncount = { one = "{count} raport", few = "{count} raporty", other = "{count} raportów" }\n'
    (folder / "i18n" / "pl.toml").write_text(polish, encoding="utf-8")
    say = texts.translator("pl", folder)
    assert [say("index.count", count=count) for count in (1, 3, 5, 22)] == ["1 raport", "3 raporty", "5 raportów", "22 raporty"]


@pytest.mark.parametrize("forms", ['{ one = "x" }', '{ other = "x", some = "y" }', "{ other = 3 }", '{ other = "{a.b}" }'])
def test_forms_that_are_none_are_refused(folder: Path, forms: str) -> None:
    (folder / "i18n" / "de.toml").write_text(f"[index]\ncount = {forms}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"index\.count"):
        texts.translator("de", folder)


def test_moments_are_written_in_the_zone_of_the_readers(folder: Path) -> None:
    at, tokyo, athens = datetime(2024, 1, 2, 15, 4, tzinfo=UTC), ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Athens")
    english, japanese = texts.day_writer("en"), texts.day_writer("ja")
    assert (english.moment(at), japanese.moment(at)) == ("2 Jan 2024, 15:04 UTC", "2024年1月3日 00:04(日本時間)")
    assert (english.zone(tokyo), japanese.zone(tokyo), japanese.zone(athens)) == ("Japan Time", "日本時間", "東ヨーロッパ時間")
    assert japanese.zone(ZoneInfo("Etc/GMT-9")) == "Etc/GMT-9" and japanese.moment(None) is None
    assert japanese.local(at, athens) == "2024年1月2日 17:04"
    assert texts.day_writer("de", folder).moment(at) == "2 Januar 2024, 15:04 UTC"


def test_the_words_of_usgs_for_a_place_are_said_in_the_readers_language() -> None:
    english, japanese = texts.day_writer("en"), texts.day_writer("ja")
    assert japanese.place("42 km NE of Anamizu, Japan") == "日本、Anamizuの北東42 km"
    assert japanese.place("8 km SSW of Nikolski, Alaska") == "Alaska、Nikolskiの南南西8 km"
    for text in ("south of the Fiji Islands", "42 km XX of Anamizu", None):
        assert japanese.place(text) == text
    assert english.place("42 km NE of Anamizu, Japan") == "42 km NE of Anamizu, Japan"


def test_a_third_language_is_one_file(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert texts.languages(folder) == WITH_GERMAN
    with caplog.at_level(logging.WARNING):
        page = render_report(some_places(), "de", {"en": "2024.en.html"}, user_folder=folder)
        render_report(some_places(), "de", user_folder=folder)
    assert '<html lang="de">' in page and "Üblich" in page
    assert "Vorhersage für Mi, 3. Januar 2024" in page
    assert 'hreflang="en" lang="en">English</a>' in page
    missing = len(texts.missing_texts("de", folder))
    assert missing > 100 and f"{missing} texts of this page are not translated" in page  # said in English, at its foot
    assert [record.levelname for record in caplog.records] == ["WARNING"] and f"de.toml lacks {missing} texts" in caplog.text


def test_the_built_in_folder_takes_a_third_language_as_well(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "templates"
    shutil.copytree(texts.template_folder(), copy)
    shutil.copyfile(folder / "i18n" / "de.toml", copy / "i18n" / "de.toml")
    monkeypatch.setattr(texts, "bundled_folder", lambda name: copy)
    assert texts.languages() == WITH_GERMAN
    assert texts.translator("de")("table.usual") == "Üblich"


def test_nothing_is_missing_in_the_languages_that_come_along() -> None:
    assert {language: texts.missing_texts(language) for language in texts.languages()} == {language: [] for language in texts.languages()}
    assert "not translated" not in render_report(sample_report(), "ja")


def test_a_users_text_replaces_a_built_in_one_and_the_rest_stays(folder: Path) -> None:
    (folder / "i18n" / "en.toml").write_text('[table]\nusual = "Base rate"\n', encoding="utf-8")
    say = texts.translator("en", folder)
    assert (say("table.usual"), say("table.ratio")) == ("Base rate", "Times usual")


def test_phrases_are_said_within_phrases_and_an_unknown_key_is_our_own_bug() -> None:
    inner = Phrase("flag.incomplete", {"magnitude": Phrase("number.one_in", {"n": "2"})})
    assert "from about M about 1 in 2 here" in texts.translator("en")(inner)
    with pytest.raises(KeyError):
        texts.translator("ja")("a.unknown")


def test_a_text_with_a_placeholder_that_is_not_filled_is_said_in_english(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "i18n" / "de.toml").write_text('[number]\npercent = "{prozent} %"\none_in = "1 zu {n"\n', encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert texts.translator("de", folder)("number.percent", percent="3") == "3 %"
        assert texts.translator("de", folder)("number.one_in", n="30") == "about 1 in 30"
    assert "number.percent cannot be filled" in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [("[page", "cannot be read as texts"), ("[page]\ntitle = 3\n", "page.title is no text"), ("page = 3\n", "cannot be read as texts")],
)
def test_a_broken_file_is_one_clear_line(folder: Path, content: str, said: str) -> None:
    (folder / "i18n" / "de.toml").write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=said) as caught:
        render_report(sample_report(), "de", user_folder=folder)
    assert "de.toml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("language", ["xx", "../en", "EN", "en/../ja", ""])
def test_an_unknown_language_is_refused_with_those_there_are(language: str) -> None:
    with pytest.raises(BadInput, match=f"there are: {', '.join(texts.languages())}"):
        render_report(sample_report(), language)
    with pytest.raises(BadInput, match=f"there are: {', '.join(texts.languages())}"):
        render_email(sample_report(), language)


def test_days_as_each_language_writes_them(folder: Path) -> None:
    day = date(2024, 1, 3)  # a Wednesday
    assert texts.day_writer("en")(day) == "Wed 3 Jan 2024"
    assert texts.day_writer("ja")(day) == "2024年1月3日(水)"
    assert texts.day_writer("de", folder)(day) == "Mi, 3. Januar 2024"
    (folder / "i18n" / "de.toml").write_text('[date]\nmonths = "Januar"\n', encoding="utf-8")
    assert texts.day_writer("de", folder)(day) == "2024-01-03"


def test_a_text_that_is_kept_is_not_taken_for_one_that_only_looks_equal() -> None:
    """1, 1.0 and True are equal, and so are their hashes; they are written as 1, 1.0 and True."""
    say = texts.translator("en")
    told = [say(Phrase("period.day", {"day": value})) for value in (1, 1.0, True, "1", 1)]
    assert told == ["1", "1.0", "True", "1", "1"]
    assert (
        say(Phrase("period.days", {"first": "a", "last": "b"})) == "a to b"
        and say(Phrase("period.days", {"last": "a", "first": "b"})) == "b to a"
    )


def test_a_list_of_places_is_joined_as_the_language_does() -> None:
    for language, two, more in (("en", "near A and B.", "near A, B and other places."), ("ja", "A、Bの近く", "A、B、その他の場所の近く")):
        say = texts.translator(language)
        assert two in say(Phrase("caution.unheard", {"names": ("A", "B")}))
        assert more in say(Phrase("caution.unheard", {"names": ("A", "B", Phrase("list.more"))}))


def test_the_short_disclaimer_says_who_warns() -> None:
    for language in ("en", "ja"):
        assert all(name in texts.translator(language)("message.no_warning") for name in ("JMA", "USGS"))
