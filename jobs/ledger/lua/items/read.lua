-- needs: tasks
--
-- READ: tasks with their items as they stand at one moment.
--
--   uids, account
--   retention_ms
--
-- Answers for each id the hashes of the task and of each item in order, or nil when the account has no such task.
local answers = {}
for position, uid in ipairs(args.uids) do
  local task_key = key('task', uid)
  answers[position] = false
  if visible(uid) and redis.call('HGET', task_key, 'account') == args.account then
    local hashes = {redis.call('HGETALL', task_key)}
    for index = 0, number_of(task_key, 'item_count') - 1 do
      hashes[index + 2] = redis.call('HGETALL', key('item', uid .. ':' .. index))
    end
    answers[position] = hashes
  end
end
return answers
