-- needs: claims, ending, errands, queue

-- Fails an item that is fetched, waits or runs, without its worker or courier: a late answer with the old token is
-- refused. keep: its source stays with the task.
local function fail_item(item, error, keep)
  local fields = redis.call('HMGET', key('item', item), 'state', 'lane', 'account')
  if fields[1] == 'fetching' then
    redis.call('ZREM', key('queued'), item)
    remove_errand(fetch_errand(item))
  elseif fields[1] == 'queued' then
    leave_queue(item, fields[2], fields[3])
  end
  end_item(item, 'failed', 'error', error, keep)
  redis.call('HDEL', key('item', item), 'token')
end

-- Takes a running item from a worker that died. Answers whether it may be tried again.
local function lose_worker(item)
  if number_of(key('item', item), 'attempts') >= args.max_attempts then
    fail_item(item, args.worker_lost, args.keep_poisoned)
    return false
  end
  requeue(item, true)
  return true
end
