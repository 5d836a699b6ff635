-- needs: turns

-- Wakes the couriers that wait for an errand: once in a script, however many fall due.
local couriers_woken = false
local function wake_couriers()
  if not couriers_woken then redis.call('PUBLISH', key('couriers'), 'due') end
  couriers_woken = true
end

-- An errand is named `<task uid>:<kind>:<number>`: a fetch by its item, a delivery by its place among the task's.
local function errand_kind(errand)
  return string.match(errand, ':(%a+):')
end

-- Puts an errand where TAKE_ERRAND finds it, behind what is due for longer of its account and kind.
local function enter_line(errand, account, due_at_ms)
  local kind = errand_kind(errand)
  redis.call('ZADD', key('due', kind .. '/' .. account), due_at_ms, errand)
  -- NX: as in `enter_queue`, an account that waits already keeps its place.
  redis.call('ZADD', key('errand_turns', kind), 'NX', next_turn(), account)
end

-- Takes an errand away from where TAKE_ERRAND finds it, whether it is due by now or not.
local function leave_line(errand, account)
  local kind = errand_kind(errand)
  local due = key('due', kind .. '/' .. account)
  redis.call('ZREM', key('errands'), errand)
  redis.call('ZREM', due, errand)
  if redis.call('EXISTS', due) == 0 then redis.call('ZREM', key('errand_turns', kind), account) end
end

-- Records an errand that is due from now on; keep: what it fetches becomes an upload.
local function add_errand(errand, account, url, keep)
  redis.call('HSET', key('errand', errand), 'account', account, 'url', url, 'keep', keep and 1 or 0, 'attempt', 0,
    'first_due_at_ms', now_ms)
  enter_line(errand, account, now_ms)
  wake_couriers()
end

-- Ends the hold of an errand's courier, if it has one.
local function let_go(errand)
  local fields = redis.call('HMGET', key('errand', errand), 'token', 'account')
  if not fields[1] then return end
  redis.call('HDEL', key('errand', errand), 'token')
  redis.call('HDEL', key('takings'), fields[1])
  redis.call('ZREM', key('under_way', fields[2]), errand)
end

local function remove_errand(errand)
  local account = redis.call('HGET', key('errand', errand), 'account')
  if not account then return end
  let_go(errand)
  leave_line(errand, account)
  redis.call('DEL', key('errand', errand))
end

local function fetch_errand(item)
  local uid, index = string.match(item, '^(.*):(%d+)$')
  return uid .. ':fetch:' .. index
end
