-- ANNOUNCE: a worker counts as alive for so long.
--
--   owner, ttl_ms
--   presence       JSON, as jobs/stores/codec.py writes it
redis.call('HSET', key('workers'), args.owner, args.presence)
redis.call('ZADD', key('workers_until'), now_ms + args.ttl_ms, args.owner)
