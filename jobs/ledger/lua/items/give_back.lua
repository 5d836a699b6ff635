-- needs: claims, failing
--
-- GIVE_BACK: a worker puts its item back, because it stops or has no storage: the attempt does not count. Or because it
-- failed on this item although it does others: the item goes behind all others, and the attempt counts. Two such workers,
-- or the last attempt, show that the picture is to blame.
--
--   item, token
--   why             nil, or the kind of error that its worker met, which is not the item's
--   behind          nil, or true: behind all others, not to its old place
--   fault           nil, or JSON of the error that the item ends with
--   max_attempts, source_ms
--   max_strikes, strike_ms, charge_strikes
--
-- Answers 1, or 0 when the claim no longer holds.
local item_key = key('item', args.item)
local state, token, given_back, attempts, owner, suspected_by =
  unpack(redis.call('HMGET', item_key, 'state', 'token', 'given_back', 'attempts', 'owner', 'suspected_by'))
-- The reply was lost and the call comes again: the item is back already, and may be another's by now.
if given_back == args.token then return 1 end
if token ~= args.token then return 0 end
if state ~= 'running' then return state == 'failed' and args.fault and 1 or 0 end
if not args.fault then
  requeue(args.item, args.why or 'given_back', false, args.behind)
elseif tonumber(attempts) < args.max_attempts and (not suspected_by or suspected_by == owner) then
  redis.call('HSET', item_key, 'suspected_by', owner)
  requeue(args.item, cjson.decode(args.fault).kind, true, true)
else
  fail_harmful(args.item, args.fault)
end
redis.call('HSET', item_key, 'given_back', args.token)
return 1
