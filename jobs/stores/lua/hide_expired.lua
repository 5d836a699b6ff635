-- HIDE_EXPIRED: marks tasks past their retention as gone, before their blobs go.
--
--   retention_ms, batch
--
-- Answers their ids, the longest ended first. They are named until they are forgotten.
local uids = redis.call('ZRANGEBYSCORE', key('ended'), '-inf', now_ms - args.retention_ms, 'LIMIT', 0, args.batch)
for _, uid in ipairs(uids) do redis.call('HSET', key('task', uid), 'hidden', 1) end
return uids
