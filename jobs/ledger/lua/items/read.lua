-- needs: tasks
--
-- READ: tasks with their items as they stand at one moment.
--
--   uids, account
--   retention_ms
--   task_fields, item_fields     what is asked of their hashes
--
-- Answers for each id the fields of the task and of each item in order, or nil when the account has no such task.

-- The fields of an item; those of a task that was terminated before anything was begun have no hashes of their own.
local function item_fields(uid, index, terminated)
  if not terminated then return redis.call('HMGET', key('item', uid .. ':' .. index), unpack(args.item_fields)) end
  local known = {state = 'failed', error = terminated}
  local fields = {}
  for position, name in ipairs(args.item_fields) do fields[position] = known[name] or false end
  return fields
end

local answers = {}
for position, uid in ipairs(args.uids) do
  local task_key = key('task', uid)
  local owner, item_count, terminated = unpack(redis.call('HMGET', task_key, 'account', 'item_count', 'terminated'))
  answers[position] = false
  if owner == args.account and visible(uid) then
    local hashes = {redis.call('HMGET', task_key, unpack(args.task_fields))}
    for index = 0, tonumber(item_count) - 1 do
      hashes[index + 2] = item_fields(uid, index, terminated)
    end
    answers[position] = hashes
  end
end
return answers
