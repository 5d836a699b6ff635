-- needs: rate

-- Whether a credential and its account are what was known of them.
local function unchanged(entry)
  local key_record = redis.call('HGET', key('credentials'), entry.key)
  local account_record = redis.call('HGET', key('accounts'), args.account)
  return key_record and account_record and redis.sha1hex(key_record .. account_record) == entry.version
end

-- Counts a request of args.account, whatever becomes of it.
--
--   entry    nil, or of a request that has not been counted: {rate}, and where its key was known {key, version}
--            of what was known
--
-- Answers false or what `take` answers, and nil or why the request is refused: 'changed' where the key or its account is
-- not what was known, or 'too_often'.
local function enter()
  local entry = args.entry
  if not entry then return false end
  if entry.version and not unchanged(entry) then return false, 'changed' end
  local places = take(entry.rate)
  return places, places[1] == 0 and 'too_often' or nil
end
