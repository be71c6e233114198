"""Subjects and names are read back as they were, by the parsers of every Python that this machine has."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from email import charset, message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.notify.channels import mail_headers
from forecaster.notify.channels.mail_building import Mail, MailSettings, build_message

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
SUBJECTS = (
    "Los Angeles, Wed 3 Jan 2024: 12 % for M 4.5 or more, 10 times the usual 2.6 %",  # 77 characters, plain
    *("Concepción, Wed 3 Jan 2024: 12 % for M 4.5, 10 times the usual"[:40] + "x" * more for more in range(20, 50)),
    "[Replay] Valparaíso: 2.8\u00a0%, 4.6 times the usual 14\u00a0% (Wed 3 Jan 2024)",
    "[Replay] 新潟: 58 %、いつもの77倍（2024年1月3日）",
    "\u2068القدس\u2069: 3 %",
    *("a" * length for length in range(60, 90)),
    *("word " * count + "end" for count in range(10, 20)),
    "é" * 75,
    "新" * 120,
    "😀" * 50,
    "é " + "x" * 74,
    "x" * 74 + " é",
    "a  b",
    "\u00a0at the edges\u00a0",
    "=?utf-8?q?no?= encoded word",
    "x" * 998,
)
PROGRAM = """
import importlib.util, json, sys
from email import message_from_bytes, policy
from email.header import decode_header, make_header
spec = importlib.util.spec_from_file_location("headers", sys.argv[1])
headers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(headers)
told = []
for text in json.load(sys.stdin):
    raw = f"Subject: {headers.encoded(text, 'Subject', chr(13) + chr(10))}\\r\\n\\r\\n".encode("ascii")
    modern, old = (message_from_bytes(raw, policy=way)["Subject"] for way in (policy.default, policy.compat32))
    told.append((str(modern), str(make_header(decode_header(old))), raw.decode()))
json.dump(told, sys.stdout)
"""


def interpreter(version: str) -> str:
    """A Python of this version, by its name on the path or from pyenv."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        return sys.executable
    folder = Path(os.environ.get("PYENV_ROOT", "nowhere")) / "versions"
    for found in (shutil.which(f"python{version}"), *map(str, folder.glob(f"{version}.*/bin/python"))):
        if found and subprocess.run([found, "-V"], capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip(f"there is no Python {version} on this machine")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_subjects_come_back_on_every_python(version: str) -> None:
    """By the library's modern parser and its old one; no line is empty or over 78 bytes."""
    asked = json.dumps(SUBJECTS).encode()
    done = subprocess.run(
        [interpreter(version), "-c", PROGRAM, mail_headers.__file__], input=asked, capture_output=True, timeout=60, check=True
    )
    for subject, (modern, old, raw) in zip(SUBJECTS, json.loads(done.stdout), strict=True):
        assert modern == old == subject
        lines = raw.removesuffix("\r\n\r\n").split("\r\n")
        assert all(line.strip() not in ("", "Subject:") and len(line) <= 78 for line in lines) and "?==?" not in raw


def test_what_another_library_sets_for_the_whole_process_changes_no_header(monkeypatch) -> None:
    """A plugin of apprise makes every UTF-8 header of the process quoted-printable as soon as it is loaded."""
    before = [mail_headers.encoded(text, "Subject", "\r\n") for text in SUBJECTS]
    monkeypatch.setattr(charset, "CHARSETS", dict(charset.CHARSETS))
    charset.add_charset("utf-8", charset.QP, charset.QP, "utf-8")
    assert [mail_headers.encoded(text, "Subject", "\r\n") for text in SUBJECTS] == before
    module = runpy.run_path(mail_headers.__file__)
    assert [module["encoded"](text, "Subject", "\r\n") for text in SUBJECTS] == before


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=200))
def test_any_text_comes_back_in_a_whole_mail(subject: str) -> None:
    message = build_message(Mail("r", subject, "t", "h"), "a@example.org", MailSettings("h", "q@example.org"), NOW)
    raw = message.as_bytes()
    assert message_from_bytes(raw, policy=policy.default)["Subject"] == subject and raw.isascii()


@pytest.mark.parametrize("name", ["Séismes du jour", "地震予報", "é" * 20, "Quakecast", '"Doe, J."'])
def test_a_sender_s_and_a_reader_s_name_may_have_any_letters(name: str) -> None:
    told = MailSettings("h", f"{name} <q@example.org>")
    raw = build_message(Mail("r", "s", "t", "h"), f"{name} <a@example.org>", told, NOW).as_bytes()
    mail = message_from_bytes(raw, policy=policy.default)
    for header, address in (("From", "q@example.org"), ("To", "a@example.org")):
        (one,) = mail[header].addresses
        assert (one.display_name, one.addr_spec) == (name.strip('"'), address)
    assert max(map(len, raw.splitlines())) <= 78
