-- needs: errands, tasks
--
-- HIDE_EXPIRED: marks tasks and uploads past their retention as gone, before their blobs go. What is left of the tasks'
-- errands is removed.
--
--   retention_ms, upload_retention_ms, batch
--
-- Answers {id, JSON of a task's items or '', names of blobs that it kept or '', JSON of an upload's picture or ''} of at
-- most a batch of each, the longest ended or unused first. They are named until they are forgotten.
local function older_than(index_key, retention_ms)
  return redis.call('ZRANGEBYSCORE', index_key, '-inf', now_ms - retention_ms, 'LIMIT', 0, args.batch)
end

-- The names of the blobs that a task's items kept.
local function kept_by(uid)
  local names = {}
  if redis.call('HEXISTS', key('task', uid), 'kept') == 0 then return '' end
  for index = 0, number_of(key('task', uid), 'item_count') - 1 do
    for _, name in ipairs(redis.call('HMGET', key('item', uid .. ':' .. index), 'source', 'background', 'mask')) do
      if name then names[#names + 1] = name end
    end
  end
  return table.concat(names, ' ')
end

local expired = {}
for position, uid in ipairs(older_than(key('ended'), args.retention_ms)) do
  redis.call('HSET', key('task', uid), 'hidden', 1)
  for _, delivery in ipairs(deliveries(uid)) do remove_errand(delivery[1]) end
  expired[position] = {uid, redis.call('HGET', key('task', uid), 'items') or '', kept_by(uid), ''}
end
for _, uid in ipairs(older_than(key('uploads'), args.upload_retention_ms)) do
  redis.call('HSET', key('upload', uid), 'hidden', 1)
  expired[#expired + 1] = {uid, '', '', redis.call('HGET', key('upload', uid), 'picture')}
end
return expired
