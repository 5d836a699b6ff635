-- Put in front of every script. The key layout is the table in jobs/stores/keys.py.
--
--   KEYS[1]  prefix of every key. Its hash tag keeps all keys in one slot, so a script may build their names.
--   ARGV[1]  milliseconds added to the server's clock: 0 outside tests.
--   ARGV[2]  the script's own arguments: a JSON object, so that they have names.
local prefix = KEYS[1]
local args = cjson.decode(ARGV[2])

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[1])

local function key(kind, name)
  if name then return prefix .. kind .. ':' .. name end
  return prefix .. kind
end

-- A number of a hash; a field that was never written counts as 0.
local function number_of(hash, field)
  return tonumber(redis.call('HGET', hash, field) or 0)
end

-- The next place in the line of accounts. Claims and entries draw from one counter, so no two places are equal.
local function next_turn()
  return redis.call('HINCRBY', key('totals'), 'turn', 1)
end

-- Puts an item where CLAIM finds it, at its acceptance number: put back after a claim, it has its old place again.
local function enter_queue(item, lane, account, number, queued_at_ms)
  redis.call('ZADD', key('waiting', lane .. '/' .. account), number, item)
  redis.call('ZADD', key('lane', lane), number, item)
  redis.call('ZADD', key('queued'), queued_at_ms, item)
  redis.call('SADD', key('lanes'), lane)
  -- NX: an account that waits already keeps its place; a newcomer goes to the end, once.
  redis.call('ZADD', key('turns', lane), 'NX', next_turn(), account)
end

local function leave_queue(item, lane, account)
  local waiting = key('waiting', lane .. '/' .. account)
  redis.call('ZREM', waiting, item)
  redis.call('ZREM', key('lane', lane), item)
  redis.call('ZREM', key('queued'), item)
  if redis.call('EXISTS', waiting) == 0 then redis.call('ZREM', key('turns', lane), account) end
end

-- Ends a running item for good. Done: its reserved credits are booked; failed: they are released.
local function end_item(item, state, outcome, text)
  local item_key = key('item', item)
  local uid, index = string.match(item, '^(.*):(%d+)$')
  local task_key = key('task', uid)
  local fields = redis.call('HMGET', item_key, 'account', 'token', 'reserved')
  local account, token, reserved = fields[1], fields[2], tonumber(fields[3])
  local account_key = key('account', account)

  -- The token stays in the item, so that a repeat of FINISH or FAIL is known as such.
  redis.call('HSET', item_key, 'state', state, outcome, text, 'ended_at_ms', now_ms)
  redis.call('HDEL', key('claims'), token)
  redis.call('ZREM', key('leases'), item)
  redis.call('ZREM', key('deadlines'), item)

  redis.call('HINCRBY', account_key, 'reserved', -reserved)
  if state == 'done' then
    redis.call('HINCRBY', account_key, 'used', reserved)
    redis.call('HINCRBY', task_key, 'done_count', 1)
  end
  redis.call('HINCRBY', account_key, 'open', -1)
  redis.call('HINCRBY', key('totals'), 'open', -1)

  if redis.call('HINCRBY', task_key, 'open_count', -1) == 0 then
    redis.call('HSET', task_key, 'ended_at_ms', now_ms)
    redis.call('ZADD', key('ended'), now_ms, uid)
    redis.call('ZREM', key('unfinished', account), uid)
  end
  redis.call('PUBLISH', key('events', uid), index .. ' ' .. state)
end

-- FINISH and FAIL in common: args.token must hold args.item. Answers 1 or 0; a repeat answers as the first time.
local function end_claim(state, outcome, text)
  local fields = redis.call('HMGET', key('item', args.item), 'state', 'token')
  if fields[2] ~= args.token then return 0 end
  if fields[1] == 'running' then
    end_item(args.item, state, outcome, text)
    return 1
  end
  if fields[1] == state then return 1 end
  return 0
end
