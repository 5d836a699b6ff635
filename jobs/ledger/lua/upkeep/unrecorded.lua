-- UNRECORDED: which ids are of no task and no upload, and so old that CREATE and KEEP_UPLOAD would refuse them.
--
--   tasks          list of {uid, made_at_ms}
--   min_age_ms
--
-- Answers the ids.
local uids = {}
for _, task in ipairs(args.tasks) do
  if now_ms - task.made_at_ms > args.min_age_ms
    and redis.call('EXISTS', key('task', task.uid), key('upload', task.uid)) == 0 then
    uids[#uids + 1] = task.uid
  end
end
return uids
