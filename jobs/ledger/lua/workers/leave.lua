-- LEAVE: a worker is gone from every lane.
--
--   owner
for _, lane in ipairs(redis.call('SMEMBERS', key('lanes_of', args.owner))) do
  local name = args.owner .. ' ' .. lane
  redis.call('HDEL', key('workers'), name)
  redis.call('ZREM', key('workers_until'), name)
end
redis.call('DEL', key('lanes_of', args.owner))
