-- needs: errands
--
-- ERRAND_DONE: ends a delivery, made or given up.
--
--   errand, token
--
-- Answers 1 when nothing is left to do, as after a call whose reply was lost; 0 when the courier's hold has ended.
local errand_key = key('errand', args.errand)
if redis.call('EXISTS', errand_key) == 0 then return 1 end
if redis.call('HGET', errand_key, 'token') ~= args.token then return 0 end
remove_errand(args.errand)
return 1
