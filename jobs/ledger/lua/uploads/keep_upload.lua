-- KEEP_UPLOAD: records a picture that is kept for later use.
--
--   uid, account
--   picture               JSON, as jobs/ledger/encoding.py writes it
--   made_at_ms            when the uid was made, and with it the blob
--   source_max_age_ms
--
-- Answers 1, or 0 when the blob is so old that the sweeper may take it. A repeat answers 1.
return record_upload() and 1 or 0
