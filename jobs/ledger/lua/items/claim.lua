-- needs: claims, hints, queue, strikes, tasks, turns
--
-- CLAIM: takes the next item for a worker, in turn between the accounts that wait.
--
--   lanes                     where to look, in order of preference
--   owner, token              the worker process, and this claim's own token
--   lease_ms, job_timeout_ms
--   max_strikes, strike_ms
--
-- Answers {item, account, spec, source, attempt, milliseconds until the hard deadline, milliseconds that it waited,
-- where its background and its mask lie or nothing, the request that made the task or nothing}, or nil when nothing waits.
--
-- Whoever claims has taken a hint, and leaves another while there is more to do.
--
-- A lapsed lease is none of its business: only the reaper can tell a dead worker from a server that was away.
local PLAIN_EVERY = 4

local function answer(item)
  local fields = redis.call('HMGET', key('item', item), 'account', 'spec', 'source', 'attempts', 'hard_deadline_ms',
    'claimed_at_ms', 'queued_at_ms', 'background', 'mask')
  return {item, fields[1], fields[2], fields[3], tonumber(fields[4]), tonumber(fields[5]) - now_ms,
    tonumber(fields[6]) - tonumber(fields[7]), fields[8] or '', fields[9] or '', request_of(item)}
end

-- Whether an item of an account that is held back runs already.
local function has_its_one(account)
  local item = redis.call('GET', key('alone', account))
  return item and redis.call('HGET', key('item', item), 'state') == 'running'
end

-- An account's next item in a lane. Urgent ones stand first, but every PLAIN_EVERY-th turn is the oldest plain one's.
local function next_of(lane, account)
  local waiting = key('waiting', lane .. '/' .. account)
  local first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')
  if not first[1] or tonumber(first[2]) >= 0 or number_of(key('account', account), 'urgent_turns') < PLAIN_EVERY - 1 then
    return first[1]
  end
  return redis.call('ZRANGEBYSCORE', waiting, 0, '+inf', 'LIMIT', 0, 1)[1] or first[1]
end

-- The account whose turn it is in a lane, and its next item. Those that are held back are passed over while another one
-- waits; they are few, since each has strikes of late. Indexes that name what is not there are mended: one such entry would
-- else keep every item of the lane from every worker.
local function next_waiting(lane)
  local position, last_account, last_item = 0, nil, nil
  while true do
    local account = redis.call('ZRANGE', key('turns', lane), position, position)[1]
    if not account then break end
    local item = next_of(lane, account)
    if not item then
      redis.call('ZREM', key('turns', lane), account)
    elseif redis.call('HGET', key('item', item), 'state') ~= 'queued' then
      leave_queue(item, lane, account)
    elseif not is_held_back(account) then
      return account, item
    else
      if not last_account and not has_its_one(account) then last_account, last_item = account, item end
      position = position + 1
    end
  end
  if last_account then redis.call('SET', key('alone', last_account), last_item, 'PX', args.job_timeout_ms) end
  return last_account, last_item
end

-- The reply was lost and the call comes again: the token holds an item already.
local held = redis.call('HGET', key('claims'), args.token)
if held then return answer(held) end
-- The call comes again late, when its claim is over: nobody waits for the answer.
if is_past_claim(args.token) then return nil end

for _, lane in ipairs(args.lanes) do
  local account, item = next_waiting(lane)
  if account then
    local item_key = key('item', item)
    local hard_deadline_ms = now_ms + args.job_timeout_ms

    if tonumber(redis.call('HGET', item_key, 'number')) < 0 then
      redis.call('HINCRBY', key('account', account), 'urgent_turns', 1)
    else
      redis.call('HDEL', key('account', account), 'urgent_turns')
    end
    leave_queue(item, lane, account)
    hint(lane)
    -- Served: to the end of the line, if more of its items wait (XX).
    redis.call('ZADD', key('turns', lane), 'XX', next_turn(), account)

    redis.call('HSET', item_key, 'state', 'running', 'token', args.token, 'owner', args.owner,
      'claimed_at_ms', now_ms, 'hard_deadline_ms', hard_deadline_ms)
    redis.call('HINCRBY', item_key, 'attempts', 1)
    redis.call('HSET', key('claims'), args.token, item)
    redis.call('SADD', key('held', args.owner), item)
    redis.call('ZADD', key('leases'), math.min(now_ms + args.lease_ms, hard_deadline_ms), item)
    redis.call('HSET', key('task', string.match(item, '^(.*):')), 'started', 1)
    return answer(item)
  end
end
return nil
