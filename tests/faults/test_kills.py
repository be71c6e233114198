"""The short form of the kills; `make soak` has the long one."""

from tests.faults import kills, world


def test_days_that_are_killed_again_and_again_end_like_days_that_are_not(tmp_path):
    """Two days, a dozen deaths: at boundaries of all steps, at random, and after a receiver's yes."""
    with world.made(tmp_path, days=2, seed=1) as made:
        result = kills.kill_days(made, days=2, kills=12, seed=1)
    assert result.wrong == []
    assert sum(result.kills.values()) >= 9 and result.kills["webhook"] + result.kills["email"] >= 1, result
