-- READ: a task with its items as they stand at one moment.
--
--   uid, account
--
-- Answers the hashes of the task and of each item in order, or nil when the account has no such task.
local task_key = key('task', args.uid)
if redis.call('HGET', task_key, 'account') ~= args.account then return nil end
local hashes = {redis.call('HGETALL', task_key)}
for index = 0, number_of(task_key, 'item_count') - 1 do
  hashes[index + 2] = redis.call('HGETALL', key('item', args.uid .. ':' .. index))
end
return hashes
