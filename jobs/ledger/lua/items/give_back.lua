-- needs: claims, ending
--
-- GIVE_BACK: a worker puts its item back. In order, because it stops: to its old place, and the attempt is not counted.
-- Or because of a fault that is not the picture's: behind all others, and the attempt counts, so that the same worker
-- does not take it again and again.
--
--   item, token
--   fault           nil, or JSON of the error that the item ends with when its attempts are used up
--   max_attempts, source_ms
--
-- Answers 1, or 0 when the claim no longer holds.
local item_key = key('item', args.item)
local fields = redis.call('HMGET', item_key, 'state', 'token', 'given_back', 'attempts')
-- The reply was lost and the call comes again: the item is back already, and may be another's by now.
if fields[3] == args.token then return 1 end
if fields[2] ~= args.token then return 0 end
if fields[1] ~= 'running' then return fields[1] == 'failed' and args.fault and 1 or 0 end
if not args.fault then
  requeue(args.item, false)
elseif tonumber(fields[4]) < args.max_attempts then
  requeue(args.item, true, true)
else
  end_item(args.item, 'failed', 'error', args.fault)
  return 1
end
redis.call('HSET', item_key, 'given_back', args.token)
return 1
