-- needs: admission, entry, idempotency, uploads
--
-- LOOK: what CREATE or KEEP_UPLOAD would answer as things stand, so that what must be refused is refused before anything
-- is written. They decide all the same. It changes nothing but the rate of the request, which counts whatever becomes of it,
-- and the count of those that wait for a task that the request joins.
--
--   account
--   entry              as `enter` takes it
--   idempotency        nil, or {name, content_digest}, and joins as CREATE takes it
--   task               nil, or {price, item_count, keeps} of a task
--   upload_bytes       nil, or the size of an upload
--   account_cap, total_cap, pace_ms, upload_cap, upload_cap_bytes
--   retention_ms, upload_retention_ms
--
-- Answers {places, verdict ...}: places as `enter` answers them, and {'admitted'}, {'repeated', uid of the first task or
-- upload}, {'conflict'}, or a refusal of `enter`, `task_refused` or `uploads_full`.
local places, refused = enter()
if refused then return {places, refused} end
local task = args.task
local verdict = repeated()
  or task and task_refused(task.price, task.item_count, task.keeps)
  or args.upload_bytes and uploads_full(args.account, args.upload_bytes, args.upload_cap, args.upload_cap_bytes)
  or {'admitted'}
return {places, unpack(verdict)}
