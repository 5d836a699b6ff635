-- needs: ending, errands, uploads
--
-- KEPT: a picture was fetched that is to be kept. It is an upload from now on, its item is done, and the errand ended.
--
--   errand, item, token
--   uid, account, picture, size_bytes, made_at_ms, source_max_age_ms     of the upload, as KEEP_UPLOAD has them
--   upload_cap, upload_cap_bytes    what counts where the errand does not say the account's own
--   result                 JSON, as jobs/ledger/encoding.py writes it
--
-- Answers {'kept'}, {'moot'} when the courier's hold has ended, or a refusal of `record_upload`.
local item_key = key('item', args.item)
-- The reply was lost and the call comes again.
if redis.call('HGET', item_key, 'kept') == args.token then return {'kept'} end
local errand = redis.call('HMGET', key('errand', args.errand), 'token', 'upload_cap', 'upload_cap_bytes')
if errand[1] ~= args.token then return {'moot'} end
local refused = record_upload(tonumber(errand[2]) or args.upload_cap, tonumber(errand[3]) or args.upload_cap_bytes)
if refused then return refused end
remove_errand(args.errand)
redis.call('HSET', item_key, 'kept', args.token)
redis.call('ZREM', key('queued'), args.item)
end_item(args.item, 'done', 'result', args.result)
return {'kept'}
