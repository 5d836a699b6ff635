-- needs: queue, turns

-- How long a claim that has ended is known by its token, for a CLAIM that arrives late once more.
local PAST_CLAIMS_MS = 60000
-- The most bytes of an item's history, of which the oldest lines go: some 8 claims.
local HISTORY_BYTES = 600

-- Adds a line to an item's history. A worker's name has no blanks.
local function note(item, history, ...)
  local lines = (history and history .. '\n' or '') .. table.concat({...}, ' ')
  while #lines > HISTORY_BYTES and string.find(lines, '\n') do lines = string.gsub(lines, '^[^\n]*\n', '') end
  redis.call('HSET', key('item', item), 'history', lines)
end

-- Ends the hold of a running item's claim, and notes why. The item's own field keeps the token.
local function drop_claim(item, token, why)
  redis.call('HDEL', key('claims'), token)
  redis.call('ZADD', key('past_claims'), now_ms, token)
  redis.call('ZREM', key('leases'), item)
  local owner, lane, account, claimed_at_ms, phase, history =
    unpack(redis.call('HMGET', key('item', item), 'owner', 'lane', 'account', 'claimed_at_ms', 'phase', 'history'))
  redis.call('SREM', key('held', owner), item)
  note(item, history, claimed_at_ms, now_ms - claimed_at_ms, phase or 'reading', why, owner)
  -- Who has come while it was worked on is served first, or would wait for two items of this account.
  redis.call('ZADD', key('turns', lane), 'XX', next_turn(), account)
end

-- Whether a token was a claim's that is over by now.
local function is_past_claim(token)
  redis.call('ZREMRANGEBYSCORE', key('past_claims'), '-inf', now_ms - PAST_CLAIMS_MS)
  return redis.call('ZSCORE', key('past_claims'), token)
end

-- Puts a running item back to its old place, or behind all others. The attempt is taken off again unless it counts.
local function requeue(item, why, counts, behind)
  local item_key = key('item', item)
  local fields = redis.call('HMGET', item_key, 'token', 'lane', 'account', 'number')
  drop_claim(item, fields[1], why)
  redis.call('HDEL', item_key, 'token', 'owner', 'phase')
  redis.call('HSET', item_key, 'state', 'queued', 'queued_at_ms', now_ms)
  if not counts then redis.call('HINCRBY', item_key, 'attempts', -1) end
  local number = fields[4]
  if behind then
    number = redis.call('HINCRBY', key('totals'), 'accepted', 1)
    redis.call('HSET', item_key, 'number', number)
  end
  enter_queue(item, fields[2], fields[3], number, now_ms)
end

-- Whether a running item's worker held on until the hard deadline: leases end there at the latest, so it was alive,
-- and hung.
local function held_to_the_end(item, lease_until_ms)
  local hard_deadline_ms = tonumber(redis.call('HGET', key('item', item), 'hard_deadline_ms'))
  return hard_deadline_ms <= math.min(lease_until_ms, now_ms)
end
