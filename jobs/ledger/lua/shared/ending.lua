-- needs: claims, errands, tasks, usage

-- Takes what became of a task's items out of their hashes, which go on to know repeats of END, and answers it as a list in
-- JSON. In the task's own hash it is read at once, however many items there are. Of a task that may be retried the items'
-- hashes keep it as well.
local function gather_items(uid)
  local gathered, stays = {}, redis.call('HEXISTS', key('task', uid), 'kept') == 1 and has_failure(uid)
  for index = 0, number_of(key('task', uid), 'item_count') - 1 do
    local item_key = key('item', uid .. ':' .. index)
    local state, price, attempts, result, error, charged =
      unpack(redis.call('HMGET', item_key, 'state', 'price', 'attempts', 'result', 'error', 'charged'))
    gathered[index + 1] = '["' .. table.concat({state .. '"', price, attempts, result or 'null', error or 'null',
      charged or 0}, ',') .. ']'
    if not stays then redis.call('HDEL', item_key, 'price', 'attempts', 'result', 'error', 'charged') end
  end
  return '[' .. table.concat(gathered, ',') .. ']'
end

-- Keeps a done item's source and mask with its task, and says whether the account has room for them.
local function keep_for_corrections(item_key, account_key, mask)
  if number_of(account_key, 'kept_bytes') + args.kept_bytes > args.most_kept_bytes then return false end
  redis.call('HINCRBY', account_key, 'kept_bytes', args.kept_bytes)
  redis.call('HSET', item_key, 'mask', mask, 'kept_bytes', args.kept_bytes)
  return true
end

-- Ends an item for good, once it has left its queue. Done: its reserved credits are booked; failed: they are released.
-- Its source goes with the upkeep, args.source_ms later, since an end that a failover loses is made again from it. Where
-- the picture need not be to blame, its source stays with the task, and it may be retried; FETCHED's token stays as well,
-- or a courier that asks once more would delete that source. charge: it is booked although it failed.
-- mask: where that of a done item lies, which stays with its source for corrections.
local function end_item(item, state, outcome, text, charge, mask)
  local item_key = key('item', item)
  local uid, index = string.match(item, '^(.*):(%d+)$')
  local task_key = key('task', uid)
  local fields = redis.call('HMGET', item_key, 'account', 'token', 'reserved', 'price', 'state', 'source', 'sent', 'background', 'mask')
  local account, token, reserved = fields[1], fields[2], tonumber(fields[3])
  local account_key = key('account', account)
  local error = state == 'failed' and cjson.decode(text)
  local keep = error and error.blameless and not charge and fields[5] ~= 'fetching'
  if mask then keep = keep_for_corrections(item_key, account_key, mask) end

  if token then drop_claim(item, token, error and error.kind or state) end
  -- The token stays in the item, so that a repeat of END is known as such. What nobody asks for any more goes.
  redis.call('HSET', item_key, 'state', state, outcome, text, 'ended_at_ms', now_ms)
  redis.call('HDEL', item_key, 'account', 'reserved', 'number', 'owner', 'queued_at_ms', 'claimed_at_ms', 'hard_deadline_ms',
    'phase', 'suspected_by', 'sent')
  if error then redis.call('ZADD', key('failed'), now_ms, uid) end
  if keep then
    redis.call('HSET', task_key, 'kept', 1)
  else
    redis.call('HDEL', item_key, 'lane', 'spec', 'source', 'background', 'mask', 'fetched')
    if fields[5] ~= 'fetching' or fields[7] then redis.call('ZADD', key('spent'), now_ms + args.source_ms, fields[6]) end
    for _, blob in ipairs({fields[8] or '', fields[9] or '', mask or ''}) do
      if blob ~= '' then redis.call('ZADD', key('spent'), now_ms + args.source_ms, blob) end
    end
  end

  -- Not `-reserved`: of 0 Lua would send "-0", which is no number to Redis 7.0.
  redis.call('HINCRBY', account_key, 'reserved', 0 - reserved)
  local booked = state == 'done' or charge
  count_usage(account, state, booked and tonumber(fields[4]) or 0)
  if booked then
    redis.call('HINCRBY', account_key, 'used', reserved)
    redis.call('HINCRBY', account_key, 'booked', fields[4])
    redis.call('HINCRBY', key('totals'), 'booked', fields[4])
  end
  if charge then redis.call('HSET', item_key, 'charged', 1) end
  if state == 'done' then
    redis.call('HINCRBY', task_key, 'done_count', 1)
    redis.call('HINCRBY', key('totals'), 'done', 1)
  end
  redis.call('HINCRBY', account_key, 'open', -1)
  redis.call('HINCRBY', key('totals'), 'open', -1)

  if redis.call('HINCRBY', task_key, 'open_count', -1) == 0 then
    redis.call('HSET', task_key, 'ended_at_ms', now_ms, 'items', gather_items(uid))
    redis.call('ZADD', key('ended'), now_ms, uid)
    redis.call('ZREM', key('unfinished', account), uid)
    redis.call('HDEL', task_key, 'named', 'booked', 'waiters')
    local due = deliveries(uid)
    for _, delivery in ipairs(due) do add_errand(delivery[1], account, delivery[2]) end
    if #due == 0 then redis.call('HDEL', task_key, 'request') end
  elseif booked then
    redis.call('HINCRBY', task_key, 'booked', fields[4])
  end
  redis.call('PUBLISH', key('events', uid), index .. ' ' .. state)
end
