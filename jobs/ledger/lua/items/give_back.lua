-- needs: claims
--
-- GIVE_BACK: a worker that stops in order puts its item back to its old place. The attempt is not counted.
--
--   item, token
--
-- Answers 1, or 0 when the claim no longer holds.
local item_key = key('item', args.item)
local fields = redis.call('HMGET', item_key, 'state', 'token', 'given_back')
-- The reply was lost and the call comes again: the item is back already, and may be another's by now.
if fields[3] == args.token then return 1 end
if fields[1] ~= 'running' or fields[2] ~= args.token then return 0 end
requeue(args.item, false)
redis.call('HSET', item_key, 'given_back', args.token)
return 1
