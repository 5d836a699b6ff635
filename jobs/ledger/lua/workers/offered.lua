-- OFFERED: the lanes that a worker has announced within so long.
--
--   within_ms
return redis.call('ZRANGEBYSCORE', key('offered'), now_ms - args.within_ms, '+inf')
