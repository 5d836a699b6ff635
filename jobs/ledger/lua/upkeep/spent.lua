-- SPENT: sources that may be deleted: their items have ended for good.
--
--   batch
--
-- Answers their names, those that are due for longest first. They are named until they are forgotten.
return redis.call('ZRANGEBYSCORE', key('spent'), '-inf', now_ms, 'LIMIT', 0, args.batch)
