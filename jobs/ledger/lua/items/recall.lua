-- needs: idempotency
--
-- RECALL: the task or upload that an idempotency key stands for, whatever its content.
--
--   account, idempotency {name}
--   retention_ms, upload_retention_ms
--
-- Answers its uid, or nil.
return (remembered())
