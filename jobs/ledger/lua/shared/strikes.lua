-- A strike of an account: an item of its own ran into a limit on time or memory, came close to that on time, or its worker
-- died of it. It counts for args.strike_ms, and with args.max_strikes of them the account is held back.
local function strike(account)
  redis.call('LPUSH', key('strikes', account), now_ms)
  redis.call('LTRIM', key('strikes', account), 0, args.max_strikes - 1)
  redis.call('PEXPIRE', key('strikes', account), args.strike_ms)
end

local function is_held_back(account)
  local oldest_ms = redis.call('LINDEX', key('strikes', account), args.max_strikes - 1)
  return oldest_ms and tonumber(oldest_ms) > now_ms - args.strike_ms
end
