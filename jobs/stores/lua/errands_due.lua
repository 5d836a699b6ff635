-- ERRANDS_DUE: how many errands wait for a courier.
return redis.call('ZCOUNT', key('errands'), '-inf', now_ms)
