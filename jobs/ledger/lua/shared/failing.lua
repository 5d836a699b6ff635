-- needs: claims, ending, errands, queue, strikes

-- Fails an item that is fetched, waits or runs, without its worker or courier: a late answer with the old token is
-- refused. charge: it is booked all the same.
local function fail_item(item, error, charge)
  local fields = redis.call('HMGET', key('item', item), 'state', 'lane', 'account')
  if fields[1] == 'fetching' then
    redis.call('ZREM', key('queued'), item)
    remove_errand(fetch_errand(item))
  elseif fields[1] == 'queued' then
    leave_queue(item, fields[2], fields[3])
  end
  end_item(item, 'failed', 'error', error, charge)
  redis.call('HDEL', key('item', item), 'token')
end

-- Fails a running item that hung or whose workers died: that counts against its account.
local function fail_harmful(item, error)
  strike(redis.call('HGET', key('item', item), 'account'))
  fail_item(item, error, args.charge_strikes)
end

-- Takes back an item that its worker held to the hard deadline. It hung while it computed, and would again; while it read
-- or wrote, the storage hung. Answers whether the item may be tried again.
local function take_overdue(item)
  local is_computing = redis.call('HGET', key('item', item), 'phase') == 'computing'
  if is_computing then fail_harmful(item, args.too_slow) else requeue(item, 'storage_hung', false) end
  return not is_computing
end

-- Takes a running item from a worker that died. Answers whether it may be tried again.
local function lose_worker(item)
  local attempts = number_of(key('item', item), 'attempts')
  if attempts >= args.max_attempts then
    fail_harmful(item, args.worker_lost)
    return false
  end
  -- The first worker may have died of another item that it held; from then on this one is worked on alone.
  if attempts > 1 then strike(redis.call('HGET', key('item', item), 'account')) end
  requeue(item, 'worker_lost', true)
  return true
end
