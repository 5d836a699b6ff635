-- needs: errands, tasks
--
-- HIDE_EXPIRED: marks tasks and uploads past their retention as gone, before their blobs go. What is left of the tasks'
-- errands is removed.
--
--   retention_ms, upload_retention_ms, batch
--
-- Answers their ids, at most a batch of each, the longest ended or unused first. They are named until they are
-- forgotten.
local function older_than(index_key, retention_ms)
  return redis.call('ZRANGEBYSCORE', index_key, '-inf', now_ms - retention_ms, 'LIMIT', 0, args.batch)
end

local uids = older_than(key('ended'), args.retention_ms)
for _, uid in ipairs(uids) do
  redis.call('HSET', key('task', uid), 'hidden', 1)
  for _, delivery in ipairs(deliveries(uid)) do remove_errand(delivery[1]) end
end
for _, uid in ipairs(older_than(key('uploads'), args.upload_retention_ms)) do
  redis.call('HSET', key('upload', uid), 'hidden', 1)
  uids[#uids + 1] = uid
end
return uids
