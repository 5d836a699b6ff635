-- LEAD: makes one of the processes that would do a sweep its leader, until it is silent for a while.
--
--   sweep              its name
--   holder, hold_ms    the process's own token, and how long it keeps the others away
--
-- Answers 0 to the leader, to the others the milliseconds until they may ask again.
local leader = key('leader', args.sweep)
if redis.call('SET', leader, args.holder, 'NX', 'PX', args.hold_ms) then return 0 end
if redis.call('GET', leader) ~= args.holder then return math.max(redis.call('PTTL', leader), 1) end
redis.call('PEXPIRE', leader, args.hold_ms)
return 0
