-- ANNOUNCE: a worker counts as alive in a lane for so long.
--
--   owner, lane, ttl_ms
--   presence       JSON, as jobs/ledger/encoding.py writes it
local name = args.owner .. ' ' .. args.lane
redis.call('HSET', key('workers'), name, args.presence)
redis.call('SADD', key('lanes_of', args.owner), args.lane)
redis.call('PEXPIRE', key('lanes_of', args.owner), 2 * args.ttl_ms)
redis.call('ZADD', key('workers_until'), now_ms + args.ttl_ms, name)
redis.call('ZADD', key('offered'), now_ms, args.lane)
