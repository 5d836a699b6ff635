-- needs: once
--
-- GRANT: adds credits to an account, which is metered from then on.
--
--   account, credit_count
--   call, memory_ms       a token of this call, and how long its answer is remembered
--
-- Answers {granted, used, reserved}.
return once(function()
  local account_key = key('account', args.account)
  local granted = redis.call('HINCRBY', account_key, 'granted', args.credit_count)
  return {granted, number_of(account_key, 'used'), number_of(account_key, 'reserved')}
end)
