-- needs: queue

-- Ends the hold of a running item's claim. The item's own field keeps the token.
local function drop_claim(item, token)
  redis.call('HDEL', key('claims'), token)
  redis.call('ZREM', key('leases'), item)
end

-- Puts a running item back to its old place. The attempt is taken off again unless it counts.
local function requeue(item, counts)
  local item_key = key('item', item)
  local fields = redis.call('HMGET', item_key, 'token', 'lane', 'account', 'number', 'hinted_at_ms')
  drop_claim(item, fields[1])
  redis.call('HDEL', item_key, 'token')
  redis.call('HSET', item_key, 'state', 'queued', 'queued_at_ms', now_ms)
  if not counts then redis.call('HINCRBY', item_key, 'attempts', -1) end
  enter_queue(item, fields[2], fields[3], fields[4], now_ms, fields[5])
end

-- Whether a running item's worker held on until the hard deadline: leases end there at the latest, so it was alive,
-- and hung.
local function held_to_the_end(item, lease_until_ms)
  local hard_deadline_ms = tonumber(redis.call('HGET', key('item', item), 'hard_deadline_ms'))
  return hard_deadline_ms <= math.min(lease_until_ms, now_ms)
end
