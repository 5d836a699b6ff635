-- needs: idempotency
--
-- RECALL: the task that an idempotency key stands for.
--
--   idempotency    {name}, with a content_digest where the content is to be the same
--   retention_ms
--
-- Answers {'known', uid}, {'none'}, or {'conflict'} when the key was used with other content.
local uid, content_digest = remembered()
if not uid then return {'none'} end
local wanted = args.idempotency.content_digest
if wanted and wanted ~= content_digest then return {'conflict'} end
return {'known', uid}
