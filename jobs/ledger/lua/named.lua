-- NAMED: the task that an idempotency key stands for, whatever its content.
--
--   idempotency    {name}
--   retention_ms
--
-- Answers the uid, or nil.
local uid = remembered()
return uid
