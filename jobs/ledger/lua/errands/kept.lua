-- needs: ending, errands, uploads
--
-- KEPT: a picture was fetched that is to be kept. It is an upload from now on, its item is done, and the errand ended.
--
--   errand, item, token
--   uid, account, picture, made_at_ms, source_max_age_ms     of the upload, as KEEP_UPLOAD has them
--   result                 JSON, as jobs/ledger/encoding.py writes it
--
-- Answers 1, or 0 when the courier's hold has ended, or the blob is so old that the sweeper may take it.
local item_key = key('item', args.item)
-- The reply was lost and the call comes again.
if redis.call('HGET', item_key, 'kept') == args.token then return 1 end
if redis.call('HGET', key('errand', args.errand), 'token') ~= args.token then return 0 end
if not record_upload() then return 0 end
remove_errand(args.errand)
redis.call('HSET', item_key, 'kept', args.token)
redis.call('ZREM', key('queued'), args.item)
end_item(args.item, 'done', 'result', args.result)
return 1
