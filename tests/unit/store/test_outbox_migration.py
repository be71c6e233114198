"""The outbox of an installation that was there before its messages had a table: nothing is lost, nothing is sent anew."""

from forecaster.store.database import open_store
from tests.support.old_schemas import old_schema
from tests.support.toys import table


def test_rows_of_an_older_outbox_are_kept_as_deliveries_of_reports(tmp_path):
    with old_schema(8):
        store = open_store(tmp_path / "old.duckdb")
    with store.transaction() as connection:
        connection.execute("INSERT INTO delivery VALUES ('d', 'r', 'email', '1 by h', 'sent', 2, NULL, '2024-01-01', NULL, '2024-01-02')")
    (row,) = table(open_store(tmp_path / "old.duckdb"), "delivery").to_dict("records")
    assert (row["delivery_id"], row["subject_id"], row["subject_kind"], row["state"], row["attempts"]) == ("d", "r", "report", "sent", 2)
    assert (row["created_at"].year, row["sent_at"].day) == (2024, 2)
