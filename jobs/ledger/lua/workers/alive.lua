-- ALIVE: what the live workers said of their lanes; the silent ones are forgotten.
--
-- Answers a list of JSON texts.
for _, name in ipairs(redis.call('ZRANGEBYSCORE', key('workers_until'), '-inf', now_ms)) do
  redis.call('ZREM', key('workers_until'), name)
  redis.call('HDEL', key('workers'), name)
end
return redis.call('HVALS', key('workers'))
