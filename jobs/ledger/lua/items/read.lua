-- needs: tasks
--
-- READ: tasks with their items as they stand at one moment.
--
--   uids, account
--   retention_ms
--   task_fields, item_fields     what is asked of their hashes
--
-- Answers for each id the fields of the task and of each item in order, or nil when the account has no such task.
local answers = {}
for position, uid in ipairs(args.uids) do
  local task_key = key('task', uid)
  local owner, item_count = unpack(redis.call('HMGET', task_key, 'account', 'item_count'))
  answers[position] = false
  if owner == args.account and visible(uid) then
    local hashes = {redis.call('HMGET', task_key, unpack(args.task_fields))}
    for index = 0, tonumber(item_count) - 1 do
      hashes[index + 2] = redis.call('HMGET', key('item', uid .. ':' .. index), unpack(args.item_fields))
    end
    answers[position] = hashes
  end
end
return answers
