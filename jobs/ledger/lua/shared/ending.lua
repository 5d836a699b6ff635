-- needs: claims, errands, tasks

-- Ends an item for good, once it has left its queue. Done: its reserved credits are booked; failed: they are released.
local function end_item(item, state, outcome, text)
  local item_key = key('item', item)
  local uid, index = string.match(item, '^(.*):(%d+)$')
  local task_key = key('task', uid)
  local fields = redis.call('HMGET', item_key, 'account', 'token', 'reserved', 'price')
  local account, token, reserved = fields[1], fields[2], tonumber(fields[3])
  local account_key = key('account', account)

  -- The token stays in the item, so that a repeat of END is known as such.
  redis.call('HSET', item_key, 'state', state, outcome, text, 'ended_at_ms', now_ms)
  if token then drop_claim(item, token) end

  redis.call('HINCRBY', account_key, 'reserved', -reserved)
  if state == 'done' then
    redis.call('HINCRBY', account_key, 'used', reserved)
    redis.call('HINCRBY', account_key, 'booked', fields[4])
    redis.call('HINCRBY', key('totals'), 'booked', fields[4])
    redis.call('HINCRBY', task_key, 'done_count', 1)
  end
  redis.call('HINCRBY', account_key, 'open', -1)
  redis.call('HINCRBY', key('totals'), 'open', -1)

  if redis.call('HINCRBY', task_key, 'open_count', -1) == 0 then
    redis.call('HSET', task_key, 'ended_at_ms', now_ms)
    redis.call('ZADD', key('ended'), now_ms, uid)
    redis.call('ZREM', key('unfinished', account), uid)
    for _, delivery in ipairs(deliveries(uid)) do add_errand(delivery[1], account, delivery[2]) end
  end
  redis.call('PUBLISH', key('events', uid), index .. ' ' .. state)
end
