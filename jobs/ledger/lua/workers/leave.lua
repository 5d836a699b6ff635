-- LEAVE: a worker is gone from every lane.
--
--   owner
for _, name in ipairs(redis.call('HKEYS', key('workers'))) do
  if string.match(name, '^%S+') == args.owner then
    redis.call('HDEL', key('workers'), name)
    redis.call('ZREM', key('workers_until'), name)
  end
end
