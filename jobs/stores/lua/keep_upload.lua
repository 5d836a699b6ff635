-- KEEP_UPLOAD: records a picture that is kept for later use.
--
--   uid, account
--   picture               JSON, as jobs/stores/codec.py writes it
--   made_at_ms            when the uid was made, and with it the blob
--   source_max_age_ms
--
-- Answers 1, or 0 when the blob is so old that the sweeper may take it. A repeat answers 1.
local upload_key = key('upload', args.uid)
if redis.call('EXISTS', upload_key) == 0 then
  if now_ms - args.made_at_ms > args.source_max_age_ms then return 0 end
  redis.call('HSET', upload_key, 'account', args.account, 'picture', args.picture)
end
touch_upload(args.uid)
return 1
