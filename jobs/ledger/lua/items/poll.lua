-- needs: entry, idempotency, reading
--
-- POLL: a request for tasks as they stand at one moment is counted and answered.
--
--   entry                      as `enter` takes it
--   uids                       nil, or which tasks
--   idempotency                else {name}: the one that the idempotency key stands for, whatever its content
--   upload_retention_ms, and what `read_tasks` takes
--
-- Answers {places, verdict, uid, tasks}: places as `enter` answers them; {'admitted'} or a refusal of `enter`; the task
-- or upload that the name stands for, where there is one; and what `read_tasks` answers, nothing if it is refused.
local places, refused = enter()
if refused then return {places, refused, false, {}} end
if args.uids then return {places, 'admitted', false, read_tasks(args.uids)} end
local uid = remembered()
return {places, 'admitted', uid or false, read_tasks({uid})}
