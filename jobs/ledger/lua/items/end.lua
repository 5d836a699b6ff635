-- FINISH: ends a claimed item as done and books its price.
--
--   item, token
--   result      JSON, as jobs/ledger/encoding.py writes it
--   pace_ms     how far back the ends of items count for their pace
--
-- Answers 1, or 0 when the claim no longer holds. Past its lease or its hard deadline it holds all the same, until
-- the reaper has taken the item back.
return end_claim('done', 'result', args.result)
