-- ENDED: which of several tasks have ended, or are not there: what a waiting call asks before it reads any.
--
--   uids, account
--
-- Answers their ids.
local found = {}
for _, uid in ipairs(args.uids) do
  local fields = redis.call('HMGET', key('task', uid), 'account', 'ended_at_ms')
  if fields[1] ~= args.account or fields[2] then found[#found + 1] = uid end
end
return found
