-- ERRANDS_DUE: how many errands wait for a courier.
--
--   kinds     every kind of errand
local count = redis.call('ZCOUNT', key('errands'), '-inf', now_ms)
for _, kind in ipairs(args.kinds) do
  for _, account in ipairs(redis.call('ZRANGE', key('errand_turns', kind), 0, -1)) do
    count = count + redis.call('ZCARD', key('due', kind .. '/' .. account))
  end
end
return count
