"""Begin an installation: a file of settings with a line of explanation each, and shell completion."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from forecaster.cli.common import example
from forecaster.errors import BadInput, NotWritable

if TYPE_CHECKING:
    from forecaster.settings import Settings

OWNERS_FILE = 0o600  # it will hold passwords
HOME_LINE = "#QUAKECAST_HOME=quakecast-data"
NEXT = """{file} is written, with a line on every setting. Fill in QUAKECAST_CONTACT and a channel, then:
  set -a && . {file} && set +a
  quakecast notify --test        a test message to all configured recipients
  quakecast run                  pull, train, forecast, report, send
TAB completes commands and options, in bash after:
  echo 'eval "$(_QUAKECAST_COMPLETE=bash_source quakecast)"' >> ~/.bashrc        (zsh: zsh_source and ~/.zshrc)"""


@click.command(epilog=example("quakecast init\n  quakecast init /etc/quakecast/quakecast.env"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=Path("quakecast.env"))
@click.pass_obj
def init(settings: "Settings", file: Path) -> None:
    """Write a commented file of settings, for you alone to read (default: quakecast.env); one that is there is never overwritten."""
    from forecaster.settings import bundled_folder

    text = (bundled_folder("deployments") / ".env.example").read_text(encoding="utf-8")
    text = text.replace(HOME_LINE, f"QUAKECAST_HOME={_quoted(settings.home.resolve())}")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNERS_FILE)
    except FileExistsError:
        raise BadInput(f"{file} is there already and stays as it is; name another file, or remove it") from None
    except OSError as error:
        raise NotWritable(
            f"cannot write {file} ({error.strerror}); name a file in a folder that is there and that you may write to"
        ) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            written.write(text)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise NotWritable(f"cannot write {file} ({error.strerror}); nothing is left of it: free some space") from None
    click.echo(NEXT.format(file=file if file.is_absolute() else f"./{file}"))


def _quoted(path: Path) -> str:
    """Quote a value so that a shell and a reader of such files both read it alike."""
    text = str(path)
    return text if text.replace("/", "").replace("-", "").replace(".", "").replace("_", "").isalnum() else f"'{text}'"


COMMANDS = (init,)
