-- needs: admission, claims, errands, once, queue, tasks
--
-- RETRY: lets the items of a task that failed through no fault of their pictures wait for a worker again, as new ones, behind
-- all others. Their price is reserved anew. What their failure made due elsewhere is due once they end again.
--
--   uid, account
--   account_cap, total_cap, pace_ms, retention_ms    as CREATE has them
--   call, memory_ms    a token of this call, and how long its answer is remembered
--
-- Answers {'retried', items}; 0 of them where the account has no such task, or none of its items may be retried. Or a refusal
-- of `task_refused`.
local task_key, account_key = key('task', args.uid), key('account', args.account)

return once(function()
  local item_count = number_of(task_key, 'item_count')
  local again, price, booked = {}, 0, 0
  for index = 0, item_count - 1 do
    local item = args.uid .. ':' .. index
    local fields = redis.call('HMGET', key('item', item), 'state', 'source', 'price', 'charged', 'lane', 'history')
    if fields[1] == 'failed' and fields[2] then
      again[#again + 1] = {item, fields[5], fields[3], fields[6]}
      price = price + fields[3]
    elseif fields[3] and (fields[1] == 'done' or fields[4]) then
      booked = booked + fields[3]
    end
  end
  local account = redis.call('HGET', task_key, 'account')
  if #again == 0 or account ~= args.account or not visible(args.uid) then return {'retried', 0} end
  local refused = task_refused(price, #again)
  if refused then return refused end

  local metered = redis.call('HEXISTS', account_key, 'granted') == 1
  for _, found in ipairs(again) do
    local item, lane, price, history = unpack(found)
    local number = redis.call('HINCRBY', key('totals'), 'accepted', 1)
    local reserved = metered and price or 0
    redis.call('HDEL', key('item', item), 'error', 'ended_at_ms', 'token')
    redis.call('HSET', key('item', item), 'state', 'queued', 'account', account, 'reserved', reserved, 'number', number,
      'attempts', 0, 'queued_at_ms', now_ms)
    note(item, history, now_ms, 0, '-', 'retried', '-')
    redis.call('HINCRBY', account_key, 'reserved', reserved)
    redis.call('ZADD', key('unfinished', account), 'NX', number, args.uid)
    enter_queue(item, lane, account, number, now_ms)
  end
  redis.call('HINCRBY', account_key, 'open', #again)
  redis.call('HINCRBY', key('totals'), 'open', #again)
  redis.call('HINCRBY', task_key, 'open_count', #again)
  redis.call('HINCRBY', task_key, 'retries', 1)
  redis.call('HDEL', task_key, 'items', 'ended_at_ms')
  redis.call('HSET', task_key, 'booked', booked)
  if #again == item_count then redis.call('HSET', task_key, 'started', 0) end
  if not has_failure(args.uid) then redis.call('ZREM', key('failed'), args.uid) end
  redis.call('ZREM', key('ended'), args.uid)
  for _, delivery in ipairs(deliveries(args.uid)) do remove_errand(delivery[1]) end
  return {'retried', #again}
end)
