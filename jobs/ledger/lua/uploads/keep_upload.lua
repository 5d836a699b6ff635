-- needs: idempotency, uploads
--
-- KEEP_UPLOAD: records a picture that is kept for later use.
--
--   uid, account
--   picture, size_bytes   of it: JSON, as jobs/ledger/encoding.py writes it, and how long its blob is
--   made_at_ms            when the uid was made, and with it the blob
--   idempotency           nil, or {name, content_digest, lifetime_ms, kept_ms}
--   upload_cap, upload_cap_bytes    of the account
--   source_max_age_ms, retention_ms, upload_retention_ms
--
-- Answers {'kept', uid}, {'repeated', uid of the first upload}, {'conflict'}, or a refusal of `record_upload`. A repeat
-- answers as the first call.
if redis.call('EXISTS', key('upload', args.uid)) == 0 then
  -- It was dropped, and its blob with it.
  if redis.call('EXISTS', key('answer', args.uid)) == 1 then return {'expired'} end
  local known = repeated()
  if known then return known end
end
local refused = record_upload(args.upload_cap, args.upload_cap_bytes)
if refused then return refused end
remember(args.uid)
if args.idempotency then redis.call('HSET', key('upload', args.uid), 'named', args.idempotency.name) end
return {'kept', args.uid}
