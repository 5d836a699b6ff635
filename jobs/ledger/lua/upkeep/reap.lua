-- needs: claims, failing, hints, once
--
-- REAP: takes back what lost workers hold, fails what is over its time, sends hints that are missing.
--
--   run_id                of the server as it runs now; '' where it does not say
--   silent                whether it answered the caller nothing for so long that leases may have lapsed meanwhile
--   lease_ms, max_attempts, queue_timeout_ms, hint_grace_ms, source_ms
--   max_strikes, strike_ms, charge_strikes
--   worker_lost, too_slow, too_late    JSON of the errors
--   batch                 the most items of a kind
--   call, memory_ms       a token of this call, and how long its answer is remembered
--
-- Answers {renewed, requeued, worker lost, too slow, too late, {lane, hints, lane, hints ...}}.
local LONG_GONE_MS = 60000

local renewed, requeued, worker_lost, too_slow, too_late = 0, 0, 0, 0, 0

-- Whether the server came back, or to itself, within one lease. The first reaper ever has seen no other server.
local function server_was_away()
  if args.silent then redis.call('HSET', key('server'), 'run_id', args.run_id, 'since_ms', now_ms) end
  if args.run_id == '' then return false end
  local known = redis.call('HMGET', key('server'), 'run_id', 'since_ms')
  if known[1] == args.run_id then return now_ms - tonumber(known[2]) < args.lease_ms end
  redis.call('HSET', key('server'), 'run_id', args.run_id, 'since_ms', known[1] and now_ms or 0)
  return known[1] ~= false
end

local function take_back(item, lease_until_ms, was_away)
  local hard_deadline_ms = tonumber(redis.call('HGET', key('item', item), 'hard_deadline_ms'))
  if held_to_the_end(item, lease_until_ms) then
    if take_overdue(item) then requeued = requeued + 1 else too_slow = too_slow + 1 end
  elseif not was_away then
    if lose_worker(item) then requeued = requeued + 1 else worker_lost = worker_lost + 1 end
  elseif now_ms < hard_deadline_ms then
    redis.call('ZADD', key('leases'), math.min(now_ms + args.lease_ms, hard_deadline_ms), item)
    renewed = renewed + 1
  else
    -- Nobody could renew it, and there is no time left to: it starts anew.
    requeue(item, 'server_away', false)
    requeued = requeued + 1
  end
end

-- Sends the hints of a lane that are lost, with a worker that took one or with the broker's list: nothing else would ever
-- be claimed in it. One that was taken right now is given time. Drops those of a lane that nobody offers, for items that
-- have ended: they would lie there for ever. Answers how many were sent.
local function mend_lane(lane)
  local hints_key, lane_key = key('hints', lane), key('lane', lane)
  local pending, waiting = redis.call('LLEN', hints_key), redis.call('ZCARD', lane_key)
  if pending == 0 and waiting > 0 then
    local oldest_ms = tonumber(redis.call('ZRANGE', lane_key, 0, 0, 'WITHSCORES')[2])
    if oldest_ms > now_ms - args.hint_grace_ms then return 0 end
    local missing = math.min(waiting, MOST_HINTS)
    send_hints(lane, missing)
    return missing
  end
  local offered_at_ms = tonumber(redis.call('ZSCORE', key('offered'), lane) or 0)
  if pending > waiting and offered_at_ms <= now_ms - LONG_GONE_MS then
    if waiting == 0 then redis.call('DEL', hints_key) else redis.call('LTRIM', hints_key, 0, waiting - 1) end
  end
  return 0
end

local function mend_hints()
  local sent = {}
  for _, lane in ipairs(redis.call('SMEMBERS', key('lanes'))) do
    local missing = mend_lane(lane)
    if missing > 0 then
      sent[#sent + 1] = lane
      sent[#sent + 1] = missing
    end
  end
  return sent
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
  return {renewed, requeued, worker_lost, too_slow, too_late, mend_hints()}
end)
