"""What the operator is told of a run that failed: our own words in full, of any other error its kind alone."""

import json

import pytest
from prefect import flow

from flows.support.hooks import report_failure
from forecaster.errors import BadInput


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BadInput("unknown recipe 'atlantis'; see the list"), "BadInput: unknown recipe 'atlantis'; see the list"),
        (RuntimeError("https://user:Tin-Whistle-77@example.org/hook/Lead-Pipe-66 refused"), "RuntimeError: unexpected error"),
    ],
)
def test_an_error_that_nobody_foresaw_is_told_by_its_kind(world, error, told):
    @flow(on_failure=[report_failure])
    def failing():
        raise error

    with pytest.raises(type(error)):
        failing()
    (document,) = world.hook.received
    letter = world.smtp.messages[0].get_body(("plain",)).get_content()
    assert document["kind"] == "operations" and told in json.dumps(document)
    for secret in ("Tin-Whistle", "Lead-Pipe"):
        assert secret not in json.dumps(document) + letter
