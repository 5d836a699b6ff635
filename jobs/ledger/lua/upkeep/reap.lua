-- needs: claims, failing, once
--
-- REAP: takes back what lost workers hold, fails what is over its time, counts the hints that are missing.
--
--   run_id                of the server as it runs now; '' where it does not say
--   pending               lane -> hints under way
--   lease_ms, max_attempts, queue_timeout_ms, hint_grace_ms, source_ms, keep_poisoned
--   max_strikes, strike_ms, charge_strikes
--   worker_lost, too_slow, too_late    JSON of the errors
--   batch                 the most items of a kind
--   call, memory_ms       a token of this call, and how long its answer is remembered
--
-- Answers {renewed, requeued, worker lost, too slow, too late, {lane, hints, lane, hints ...}, {lane, waiting, ...}},
-- the last of lanes that nobody offers and that have more hints than items.
local LONG_GONE_MS = 60000

local renewed, requeued, worker_lost, too_slow, too_late = 0, 0, 0, 0, 0

-- Whether the server came back within one lease. The first reaper ever has seen no other server.
local function server_was_away()
  if args.run_id == '' then return false end
  local known = redis.call('HMGET', key('server'), 'run_id', 'since_ms')
  if known[1] == args.run_id then return now_ms - tonumber(known[2]) < args.lease_ms end
  redis.call('HSET', key('server'), 'run_id', args.run_id, 'since_ms', known[1] and now_ms or 0)
  return known[1] ~= false
end

local function take_back(item, lease_until_ms, was_away)
  local hard_deadline_ms = tonumber(redis.call('HGET', key('item', item), 'hard_deadline_ms'))
  if held_to_the_end(item, lease_until_ms) then
    fail_harmful(item, args.too_slow)
    too_slow = too_slow + 1
  elseif not was_away then
    if lose_worker(item) then requeued = requeued + 1 else worker_lost = worker_lost + 1 end
  elseif now_ms < hard_deadline_ms then
    redis.call('ZADD', key('leases'), math.min(now_ms + args.lease_ms, hard_deadline_ms), item)
    renewed = renewed + 1
  else
    -- Nobody could renew it, and there is no time left to: it starts anew.
    requeue(item, false)
    requeued = requeued + 1
  end
end

-- The deficit rule: what waits less what is under way. Who was hinted at longest ago comes first.
local function missing_hints()
  local hints = {}
  for lane, under_way in pairs(args.pending) do
    local lane_key = key('lane', lane)
    local missing = math.min(redis.call('ZCARD', lane_key) - under_way, args.batch)
    if missing > 0 then
      local items = redis.call('ZRANGEBYSCORE', lane_key, '-inf', now_ms - args.hint_grace_ms, 'LIMIT', 0, missing)
      for _, item in ipairs(items) do
        redis.call('HSET', key('item', item), 'hinted_at_ms', now_ms)
        redis.call('ZADD', lane_key, now_ms, item)
      end
      if #items > 0 then
        hints[#hints + 1] = lane
        hints[#hints + 1] = #items
      end
    end
  end
  return hints
end

-- Hints that would lie there for ever: their items have ended, and no worker takes them.
local function needless_hints()
  local lanes = {}
  for lane, under_way in pairs(args.pending) do
    local offered_at_ms = tonumber(redis.call('ZSCORE', key('offered'), lane) or 0)
    local waiting = redis.call('ZCARD', key('lane', lane))
    if under_way > waiting and offered_at_ms < now_ms - LONG_GONE_MS then
      lanes[#lanes + 1] = lane
      lanes[#lanes + 1] = waiting
    end
  end
  return lanes
end

return once(function()
  local was_away = server_was_away()
  local lapsed = redis.call('ZRANGEBYSCORE', key('leases'), '-inf', now_ms, 'WITHSCORES', 'LIMIT', 0, args.batch)
  for position = 1, #lapsed, 2 do take_back(lapsed[position], tonumber(lapsed[position + 1]), was_away) end

  local queued_before_ms = now_ms - args.queue_timeout_ms
  for _, item in ipairs(redis.call('ZRANGEBYSCORE', key('queued'), '-inf', queued_before_ms, 'LIMIT', 0, args.batch)) do
    fail_item(item, args.too_late)
    too_late = too_late + 1
  end
  return {renewed, requeued, worker_lost, too_slow, too_late, missing_hints(), needless_hints()}
end)
