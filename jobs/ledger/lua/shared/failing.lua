-- needs: claims, ending, errands, queue

-- The sources of the items that this script failed; poisoned: of those whose workers died as often as is allowed.
local left, poisoned = {}, {}

-- Fails an item that is fetched, waits or runs, without its worker or courier: a late answer with the old token is
-- refused. Its source, unless that is still to be fetched, is noted in `sources`, or in `left`.
local function fail_item(item, error, sources)
  local fields = redis.call('HMGET', key('item', item), 'state', 'lane', 'account', 'source')
  sources = sources or left
  if fields[1] == 'fetching' then
    redis.call('ZREM', key('queued'), item)
    remove_errand(fetch_errand(item))
  else
    if fields[1] == 'queued' then leave_queue(item, fields[2], fields[3]) end
    sources[#sources + 1] = fields[4]
  end
  end_item(item, 'failed', 'error', error)
  redis.call('HDEL', key('item', item), 'token')
end

-- Takes a running item from a worker that died. Answers whether it may be tried again.
local function lose_worker(item)
  if number_of(key('item', item), 'attempts') >= args.max_attempts then
    fail_item(item, args.worker_lost, poisoned)
    return false
  end
  requeue(item, true)
  return true
end
