"""One Prefect server serves one installation. The description of its work pool records which.

Deployments have the same names everywhere. A second data folder that is deployed onto the same server would replace the schedules of the
first, and the workers of both would execute the runs of both.
"""

import re
import socket
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound

from flows.support.deploying import POOL, check_server
from forecaster.errors import BadInput
from forecaster.files import check_data_folder
from forecaster.settings import Settings

FILE = "installation"  # in the data folder: a random name, so that a folder that is moved stays the same installation
DESCRIBED = re.compile(r"quakecast installation ([0-9a-f]{32}): (\S+):(.+)")


@dataclass(frozen=True)
class Installation:
    """One installation. `host` and `folder` describe it to people. A folder that was restored from a backup has lost its `name` and is
    identified by them."""

    name: str
    host: str
    folder: str

    def same(self, other: "Installation") -> bool:
        return self.name == other.name or (self.host, self.folder) == (other.host, other.folder)

    def description(self) -> str:
        return f"quakecast installation {self.name}: {self.host}:{self.folder}"


def claim_server(settings: Settings, *, take_over: bool = False) -> None:
    """Assign the server to this installation. `take_over`: do so even where it is assigned to another.

    Raises:
        BadInput: it is assigned to another installation. ServerUnusable: down, or too old. Nothing is changed.
    """
    own = _own(settings.home, make=True)
    with get_client(sync_client=True) as client:
        check_server(client)
        pool, owner = _pool(client)
        if owner is not None and not owner.same(own) and not take_over:
            raise BadInput(
                f"this Prefect server carries the installation of {owner.host}:{owner.folder}, whose schedules would be replaced; give "
                "each installation a server of its own (PREFECT_API_URL), or, where that one is given up, `quakecast deploy --take-over`"
            )
        if not pool:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process", description=own.description()))
        elif owner != own:
            client.update_work_pool(POOL, WorkPoolUpdate(description=own.description()))


def check_claim(settings: Settings) -> None:
    """Check that the server's runs belong to this installation. A server deployed by an older version does not record this, and passes.

    Raises:
        BadInput: it carries another installation. ServerUnusable: down, or too old.
    """
    with get_client(sync_client=True) as client:
        check_server(client)
        _, owner = _pool(client)
    if owner is not None and not owner.same(own := _own(settings.home, make=False)):
        raise BadInput(
            f"this Prefect server carries the installation of {owner.host}:{owner.folder}, and this is {own.host}:{own.folder}: its runs "
            "are not for this worker; check QUAKECAST_HOME and PREFECT_API_URL"
        )


def _pool(client: SyncPrefectClient) -> tuple[bool, Installation | None]:
    """Return whether there is a pool, and its installation; None where that is not recorded."""
    try:
        pool = client.read_work_pool(POOL)
    except ObjectNotFound:
        return False, None
    found = DESCRIBED.fullmatch(pool.description or "")
    return True, Installation(*found.groups()) if found else None


def _own(home: Path, *, make: bool) -> Installation:
    """Return this installation. Where it has no name of its own yet, it gets one if the folder is writable."""
    file = home / FILE
    if make and not file.exists():
        check_data_folder(home)
        file.write_text(f"{uuid4().hex}\n", encoding="utf-8")
    name = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
    return Installation(name, socket.gethostname(), str(home.resolve()))
