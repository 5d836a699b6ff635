-- needs: failing
--
-- FETCH_FAILED: ends a fetch and its item as failed, and releases the item's price.
--
--   errand, item, token
--   error      JSON, as jobs/ledger/encoding.py writes it
--   source_ms  as END has it
--
-- Answers 1, or 0 when the courier's hold has ended.
local item_key = key('item', args.item)
-- The reply was lost and the call comes again.
if redis.call('HGET', item_key, 'fetch_failed') == args.token then return 1 end
if redis.call('HGET', key('errand', args.errand), 'token') ~= args.token then return 0 end
redis.call('HSET', item_key, 'fetch_failed', args.token)
fail_item(args.item, args.error)
return 1
