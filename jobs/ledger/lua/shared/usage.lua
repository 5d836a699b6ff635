-- Of so many days a hash has an account's usage, as jobs/ledger/keys.py has it: few enough for the server's compact form.
local USAGE_DAYS = 32
local DAY_MS = 86400000

-- The number of the hashes that a day is in.
local function usage_number(day)
  return math.floor(day / USAGE_DAYS)
end

local function day_of(ms)
  return math.floor(ms / DAY_MS)
end

-- Counts an item's end in its account's usage of the day, and the credits that it is charged.
local function count_usage(account, state, charged)
  local day = day_of(now_ms)
  local number = usage_number(day)
  local name = account .. '/' .. number
  if redis.call('HINCRBY', key('usage', name), day .. ':' .. state, 1) == 1 then
    redis.call('ZADD', key('usages'), number, name)
  end
  if charged > 0 then redis.call('HINCRBY', key('usage', name), day .. ':credits', charged) end
end
