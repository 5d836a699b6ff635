-- needs: usage
--
-- FORGET_USAGE: deletes the usage of days that are past their time, where all of a hash are.
--
--   retention_ms    how long a day is kept
--   batch           the most hashes
--
-- Answers how many hashes are deleted.
local last = usage_number(day_of(now_ms - args.retention_ms)) - 1
local names = redis.call('ZRANGEBYSCORE', key('usages'), '-inf', last, 'LIMIT', 0, args.batch)
for _, name in ipairs(names) do
  redis.call('DEL', key('usage', name))
  redis.call('ZREM', key('usages'), name)
end
return #names
