-- RECALL: the task that an idempotency key stands for.
--
--   idempotency    {name, content_digest}
--   retention_ms
--
-- Answers {'known', uid}, {'none'}, or {'conflict'} when the key was used with other content.
local uid, content_digest = remembered()
if not uid then return {'none'} end
if content_digest ~= args.idempotency.content_digest then return {'conflict'} end
return {'known', uid}
