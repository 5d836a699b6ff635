-- needs: errands
--
-- POSTPONE: a courier lets go of an errand, which falls due after a time.
--
--   errand, token
--   delay_ms
--
-- Answers 1, or 0 when the courier's hold has ended.
local errand_key = key('errand', args.errand)
local fields = redis.call('HMGET', errand_key, 'token', 'postponed', 'account')
-- The reply was lost and the call comes again: the errand may be another courier's by now.
if fields[2] == args.token then return 1 end
if fields[1] ~= args.token then return 0 end
let_go(args.errand)
leave_line(args.errand, fields[3])  -- where it is again if its lease lapsed
redis.call('HSET', errand_key, 'postponed', args.token)
redis.call('ZADD', key('errands'), now_ms + args.delay_ms, args.errand)
if args.delay_ms == 0 then wake_couriers() end
return 1
