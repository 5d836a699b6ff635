-- needs: failing, once, tasks
--
-- TERMINATE: ends every item of a task that has not ended, as failed. Items that are done stay booked.
--
--   uid, account
--   leaves         nil, or true where one of those that joined the task waits for it no more: it is ended if that was the
--                  last one, and nothing was begun
--   error          JSON, as jobs/ledger/encoding.py writes it
--   retention_ms, terminated_retention_ms, source_ms
--   call, memory_ms    a token of this call, and how long its answer is remembered
--
-- Answers 1, or 0 when the account has no such task, or others wait for it.
local task_key = key('task', args.uid)

-- A task of which nothing was begun says nothing but that it was terminated: one field stands for its items, and it goes
-- before others do, unless its end is still to be told elsewhere.
local function keep_briefly(uid, named)
  for index = 0, number_of(task_key, 'item_count') - 1 do redis.call('DEL', key('item', uid .. ':' .. index)) end
  redis.call('HSET', task_key, 'terminated', args.error)
  redis.call('HDEL', task_key, 'items')
  if #deliveries(uid) > 0 then return end
  local retention_ms = math.min(args.terminated_retention_ms, args.retention_ms)
  redis.call('HSET', task_key, 'retention_ms', retention_ms)
  if named then redis.call('PEXPIRE', key('idempotency', named), retention_ms, 'LT') end
  -- `ended` is in the order of the usual retention.
  redis.call('ZADD', key('ended'), now_ms - args.retention_ms + retention_ms, uid)
end

-- Whether nobody waits any more for a task that goes for those who joined it.
local function is_left()
  local waiters, started, ended_at_ms = unpack(redis.call('HMGET', task_key, 'waiters', 'started', 'ended_at_ms'))
  if not waiters or started ~= '0' or ended_at_ms then return false end
  return redis.call('HINCRBY', task_key, 'waiters', -1) <= 0
end

return once(function()
  if not visible(args.uid) or redis.call('HGET', task_key, 'account') ~= args.account then return 0 end
  if args.leaves and not is_left() then return 0 end
  local fields = redis.call('HMGET', task_key, 'open_count', 'item_count', 'started', 'ended_at_ms', 'named')
  if fields[4] then return 1 end
  for index = 0, number_of(task_key, 'item_count') - 1 do
    local item = args.uid .. ':' .. index
    local state = redis.call('HGET', key('item', item), 'state')
    if state ~= 'done' and state ~= 'failed' then fail_item(item, args.error) end
  end
  if fields[1] == fields[2] and fields[3] == '0' then keep_briefly(args.uid, fields[5]) end
  return 1
end)
