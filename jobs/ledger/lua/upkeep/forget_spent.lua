-- FORGET_SPENT: these sources are deleted.
--
--   sources
redis.call('ZREM', key('spent'), unpack(args.sources))
