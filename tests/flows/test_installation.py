"""A second data folder on the same Prefect server: told before it replaces anything."""

import pytest
from prefect.client.orchestration import get_client

from flows.installation import FILE, check_claim, claim_server
from flows.support.deploying import POOL
from forecaster.errors import BadInput
from forecaster.settings import load_settings

pytestmark = pytest.mark.slow


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Settings of two data folders on one server without a pool."""
    monkeypatch.setattr("flows.installation.check_server", lambda client: None)  # the tests' own server has no address
    with get_client(sync_client=True) as client:
        if any(pool.name == POOL for pool in client.read_work_pools()):
            client.delete_work_pool(POOL)
    yield load_settings(home=tmp_path / "one"), load_settings(home=tmp_path / "two")
    with get_client(sync_client=True) as client:
        client.delete_work_pool(POOL)


def description() -> str:
    with get_client(sync_client=True) as client:
        return client.read_work_pool(POOL).description or ""


def test_the_first_installation_keeps_the_server_until_another_takes_it_over(folders):
    one, two = folders
    claim_server(one)
    told = description()
    assert str(one.home) in told
    claim_server(one)
    with pytest.raises(BadInput, match=f"carries the installation of .*:{one.home}.*--take-over"):
        claim_server(two)
    with pytest.raises(BadInput, match="its runs are not for this worker"):
        check_claim(two)
    assert description() == told
    check_claim(one)
    claim_server(two, take_over=True)
    check_claim(two)
    with pytest.raises(BadInput, match=f"carries the installation of .*:{two.home}"):
        check_claim(one)


def test_a_folder_that_moved_and_one_that_was_restored_stay_the_same_installation(folders, tmp_path):
    one, _ = folders
    claim_server(one)
    moved = load_settings(home=one.home.rename(tmp_path / "elsewhere"))
    claim_server(moved)
    assert str(moved.home) in description()
    (moved.home / FILE).unlink()
    claim_server(moved)
    check_claim(moved)


def test_a_pool_of_an_older_version_is_taken(folders):
    from prefect.client.schemas.actions import WorkPoolCreate

    one, _ = folders
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    check_claim(one)
    claim_server(one)
    assert str(one.home) in description()
