-- ALIVE: what the live workers said of themselves; the silent ones are forgotten.
--
-- Answers a list of JSON texts.
for _, owner in ipairs(redis.call('ZRANGEBYSCORE', key('workers_until'), '-inf', now_ms)) do
  redis.call('ZREM', key('workers_until'), owner)
  redis.call('HDEL', key('workers'), owner)
end
return redis.call('HVALS', key('workers'))
