-- RENEW: prolongs a claim's lease, never past its item's hard deadline.
--
--   item, token, lease_ms
--   phase     what the worker does now
--
-- Answers 1, or 0 when the item is no longer the claim's. A lease that lapsed is renewed as long as nobody took the
-- item back: the worker is alive after all, and starting anew would only lose time.
local fields = redis.call('HMGET', key('item', args.item), 'state', 'token', 'hard_deadline_ms', 'phase')
if fields[1] ~= 'running' or fields[2] ~= args.token then return 0 end
local hard_deadline_ms = tonumber(fields[3])
if now_ms >= hard_deadline_ms then return 0 end
if fields[4] ~= args.phase then redis.call('HSET', key('item', args.item), 'phase', args.phase) end
redis.call('ZADD', key('leases'), math.min(now_ms + args.lease_ms, hard_deadline_ms), args.item)
return 1
