-- TAKE_ERRAND: takes the errand that has been due for longest, under a lease. Nobody watches the lease: at its end the
-- errand is due again.
--
--   owner, token    the courier's process, and this taking's own token
--   lease_ms
--
-- Answers {errand, account, url, attempt, first_due_at_ms, taken_at_ms}, or nil when none is due.
local function answer(errand)
  return {errand, unpack(redis.call('HMGET', key('errand', errand), 'account', 'url', 'attempt', 'first_due_at_ms',
    'taken_at_ms'))}
end

-- The reply was lost and the call comes again: the token holds an errand already.
local held = redis.call('HGET', key('takings'), args.token)
if held then return answer(held) end

local errand = redis.call('ZRANGEBYSCORE', key('errands'), '-inf', now_ms, 'LIMIT', 0, 1)[1]
if not errand then return nil end
let_go(errand)
redis.call('HSET', key('errand', errand), 'token', args.token, 'owner', args.owner, 'taken_at_ms', now_ms)
redis.call('HINCRBY', key('errand', errand), 'attempt', 1)
redis.call('HSET', key('takings'), args.token, errand)
redis.call('ZADD', key('errands'), now_ms + args.lease_ms, errand)
return answer(errand)
