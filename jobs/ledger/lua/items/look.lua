-- needs: admission, idempotency, uploads
--
-- LOOK: what CREATE or KEEP_UPLOAD would answer as things stand, so that what must be refused is refused before anything
-- is written. They decide all the same. It changes nothing.
--
--   account
--   idempotency        nil, or {name, content_digest}
--   task               nil, or {price, item_count, keeps} of a task
--   upload_bytes       nil, or the size of an upload
--   account_cap, total_cap, pace_ms, upload_cap, upload_cap_bytes
--   retention_ms, upload_retention_ms
--
-- Answers {'admitted'}, {'repeated', uid of the first task or upload}, {'conflict'}, or a refusal of `task_refused` or
-- `uploads_full`.
local task = args.task
return repeated()
  or task and task_refused(task.price, task.item_count, task.keeps)
  or args.upload_bytes and uploads_full(args.account, args.upload_bytes, args.upload_cap, args.upload_cap_bytes)
  or {'admitted'}
