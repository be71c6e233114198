-- What a report says is kept with its row, so that whenever it is sent it is sent as it was written.

ALTER TABLE report ADD COLUMN document BLOB;
ALTER TABLE report ADD COLUMN document_sha256 VARCHAR;
COMMENT ON COLUMN report.document IS 'All that the report says, as JSON compressed by zlib; NULL: written by an earlier version, or cleared when nobody could need it any more';
COMMENT ON COLUMN report.document_sha256 IS 'SHA-256 of that JSON; it stays when the document is cleared';
