-- GRANT: adds credits to an account, which is metered from then on.
--
--   account, credit_count
--   token                  fresh for this grant, so that a repeat adds nothing
--   memory_ms              how long the token is remembered
--
-- Answers {granted, used, reserved}.
local account_key = key('account', args.account)
if redis.call('SET', key('grant', args.token), 1, 'NX', 'PX', args.memory_ms) then
  redis.call('HINCRBY', account_key, 'granted', args.credit_count)
end
return {number_of(account_key, 'granted'), number_of(account_key, 'used'), number_of(account_key, 'reserved')}
