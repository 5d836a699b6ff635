-- needs: errands, queue, rate
--
-- FETCHED: the bytes that an item lacked are in place. The errand ends, and the item waits for a worker at its place by
-- acceptance; its age in the queue goes on.
--
--   errand, item, token
--   source, background     where these lie; nil what was in place before, or is not wanted
--   megapixels             of the source: those beyond the first are taken in the errand's rate, if it has one. The task
--                          was accepted and stays so: what is not free is owed
--
-- Answers 1, or 0 when the courier's hold has ended.
local item_key = key('item', args.item)
local fields = redis.call('HMGET', item_key, 'lane', 'account', 'number', 'queued_at_ms', 'fetched')
-- The reply was lost and the call comes again: the item waits already, and may be a worker's by now.
if fields[5] == args.token then return 1 end
if redis.call('HGET', key('errand', args.errand), 'token') ~= args.token then return 0 end
local rate = redis.call('HGET', key('errand', args.errand), 'rate')
if rate and args.megapixels > 1 then
  rate = cjson.decode(rate)
  rate.weight = math.min(args.megapixels - 1, rate.limit)
  take(rate, true)
end
remove_errand(args.errand)
redis.call('HSET', item_key, 'state', 'queued', 'fetched', args.token)
for _, field in ipairs({'source', 'background'}) do
  if args[field] then redis.call('HSET', item_key, field, args[field]) end
end
enter_queue(args.item, fields[1], fields[2], fields[3], fields[4])
return 1
