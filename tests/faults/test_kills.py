"""The short form of the kills; `make soak` has the long one."""

import pytest

from tests.faults import kills, world

pytestmark = pytest.mark.closed_files


@pytest.mark.timeout(900)  # half a minute on a quiet machine, and it may be killed at leisure on a busy one
def test_days_that_are_killed_again_and_again_end_like_days_that_are_not(tmp_path):
    """A day, four deaths: at boundaries, and after a receiver's yes."""
    with world.made(tmp_path, days=1, seed=1) as made:
        result = kills.kill_days(made, days=1, kills=4, seed=1)
    assert result.wrong == []
    assert sum(result.kills.values()) >= 3 and result.kills["webhook"] + result.kills["email"] >= 1, result
