-- needs: admission, idempotency, rate, uploads
--
-- LOOK: what CREATE or KEEP_UPLOAD would answer as things stand, so that what must be refused is refused before anything
-- is written. They decide all the same. It changes nothing but the rate of the request, which counts whatever becomes of it.
--
--   entry              nil, or of a request that has not been counted: {rate}, and where its public key was known
--                      {key, version} of what was known
--   account
--   idempotency        nil, or {name, content_digest}
--   task               nil, or {price, item_count, keeps} of a task
--   upload_bytes       nil, or the size of an upload
--   account_cap, total_cap, pace_ms, upload_cap, upload_cap_bytes
--   retention_ms, upload_retention_ms
--
-- Answers {places, verdict ...}: false or what `take` answers, and {'admitted'}, {'repeated', uid of the first task or
-- upload}, {'conflict'}, {'changed'} where the key or its account is not what was known, {'too_often'}, or a refusal of
-- `task_refused` or `uploads_full`.
local function unchanged(entry)
  local key_record = redis.call('HGET', key('key_pairs'), entry.key)
  local account_record = redis.call('HGET', key('accounts'), args.account)
  return key_record and account_record and redis.sha1hex(key_record .. account_record) == entry.version
end

local entry, task = args.entry, args.task
if entry and entry.version and not unchanged(entry) then return {false, 'changed'} end
local places = entry and take(entry.rate) or false
if places and places[1] == 0 then return {places, 'too_often'} end
local verdict = repeated()
  or task and task_refused(task.price, task.item_count, task.keeps)
  or args.upload_bytes and uploads_full(args.account, args.upload_bytes, args.upload_cap, args.upload_cap_bytes)
  or {'admitted'}
return {places, unpack(verdict)}
