-- needs: hints, turns

-- Puts an item where CLAIM finds it, at its place by acceptance: put back after a claim, it has its old place again. Tells
-- one worker of it.
local function enter_queue(item, lane, account, number, queued_at_ms)
  redis.call('ZADD', key('waiting', lane .. '/' .. account), number, item)
  redis.call('ZADD', key('lane', lane), now_ms, item)
  redis.call('ZADD', key('queued'), queued_at_ms, item)
  redis.call('SADD', key('lanes'), lane)
  -- NX: an account that waits already keeps its place; a newcomer goes to the end, once.
  redis.call('ZADD', key('turns', lane), 'NX', next_turn(), account)
  hint(lane)
end

local function leave_queue(item, lane, account)
  local waiting = key('waiting', lane .. '/' .. account)
  redis.call('ZREM', waiting, item)
  redis.call('ZREM', key('lane', lane), item)
  redis.call('ZREM', key('queued'), item)
  if redis.call('EXISTS', waiting) == 0 then redis.call('ZREM', key('turns', lane), account) end
end
