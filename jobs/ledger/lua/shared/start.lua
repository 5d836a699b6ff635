-- Put in front of every script. The key layout is the table in jobs/ledger/keys.py.
--
--   KEYS[1]  prefix of every key. Its hash tag keeps all keys in one slot, so a script may build their names.
--   ARGV[1]  milliseconds added to the server's clock: 0 outside tests.
--   ARGV[2]  the script's own arguments: a JSON object, so that they have names.
local prefix = KEYS[1]
local args = cjson.decode(ARGV[2])

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[1])

local function key(kind, name)
  if name then return prefix .. kind .. ':' .. name end
  return prefix .. kind
end

-- A number of a hash; a field that was never written counts as 0.
local function number_of(hash, field)
  return tonumber(redis.call('HGET', hash, field) or 0)
end

-- The next place in the line of accounts. Claims and entries draw from one counter, so no two places are equal.
local function next_turn()
  return redis.call('HINCRBY', key('totals'), 'turn', 1)
end

-- The request that made the task of an item or errand, as JSON; '' where nothing is known of it.
local function request_of(name)
  return redis.call('HGET', key('task', string.match(name, '^([^:]*):')), 'request') or ''
end

-- Puts an item where CLAIM finds it, at its acceptance number: put back after a claim, it has its old place again.
local function enter_queue(item, lane, account, number, queued_at_ms, hinted_at_ms)
  redis.call('ZADD', key('waiting', lane .. '/' .. account), number, item)
  redis.call('ZADD', key('lane', lane), hinted_at_ms, item)
  redis.call('ZADD', key('queued'), queued_at_ms, item)
  redis.call('SADD', key('lanes'), lane)
  -- NX: an account that waits already keeps its place; a newcomer goes to the end, once.
  redis.call('ZADD', key('turns', lane), 'NX', next_turn(), account)
end

local function leave_queue(item, lane, account)
  local waiting = key('waiting', lane .. '/' .. account)
  redis.call('ZREM', waiting, item)
  redis.call('ZREM', key('lane', lane), item)
  redis.call('ZREM', key('queued'), item)
  if redis.call('EXISTS', waiting) == 0 then redis.call('ZREM', key('turns', lane), account) end
end

-- Ends the hold of a running item's claim. The item's own field keeps the token.
local function drop_claim(item, token)
  redis.call('HDEL', key('claims'), token)
  redis.call('ZREM', key('leases'), item)
end

-- Wakes the couriers that wait for an errand: once in a script, however many fall due.
local couriers_woken = false
local function wake_couriers()
  if not couriers_woken then redis.call('PUBLISH', key('couriers'), 'due') end
  couriers_woken = true
end

-- An errand is named `<task uid>:<kind>:<number>`: a fetch by its item, a delivery by its place among the task's.
local function errand_kind(errand)
  return string.match(errand, ':(%a+):')
end

-- Puts an errand where TAKE_ERRAND finds it, behind what is due for longer of its account and kind.
local function enter_line(errand, account, due_at_ms)
  local kind = errand_kind(errand)
  redis.call('ZADD', key('due', kind .. '/' .. account), due_at_ms, errand)
  -- NX: as in `enter_queue`, an account that waits already keeps its place.
  redis.call('ZADD', key('errand_turns', kind), 'NX', next_turn(), account)
end

-- Takes an errand away from where TAKE_ERRAND finds it, whether it is due by now or not.
local function leave_line(errand, account)
  local kind = errand_kind(errand)
  local due = key('due', kind .. '/' .. account)
  redis.call('ZREM', key('errands'), errand)
  redis.call('ZREM', due, errand)
  if redis.call('EXISTS', due) == 0 then redis.call('ZREM', key('errand_turns', kind), account) end
end

-- Records an errand that is due from now on; keep: what it fetches becomes an upload.
local function add_errand(errand, account, url, keep)
  redis.call('HSET', key('errand', errand), 'account', account, 'url', url, 'keep', keep and 1 or 0, 'attempt', 0,
    'first_due_at_ms', now_ms)
  enter_line(errand, account, now_ms)
  wake_couriers()
end

-- Ends the hold of an errand's courier, if it has one.
local function let_go(errand)
  local fields = redis.call('HMGET', key('errand', errand), 'token', 'account')
  if not fields[1] then return end
  redis.call('HDEL', key('errand', errand), 'token')
  redis.call('HDEL', key('takings'), fields[1])
  redis.call('ZREM', key('under_way', fields[2]), errand)
end

local function remove_errand(errand)
  local account = redis.call('HGET', key('errand', errand), 'account')
  if not account then return end
  let_go(errand)
  leave_line(errand, account)
  redis.call('DEL', key('errand', errand))
end

local function fetch_errand(item)
  local uid, index = string.match(item, '^(.*):(%d+)$')
  return uid .. ':fetch:' .. index
end

-- What a task's end makes due: {errand, url} of each delivery, in their order.
local function deliveries(uid)
  local found = cjson.decode(redis.call('HGET', key('task', uid), 'deliveries') or '[]')
  for position, delivery in ipairs(found) do
    found[position] = {uid .. ':' .. delivery.kind .. ':' .. (position - 1), delivery.url}
  end
  return found
end

-- The pace of a hash: the ends so far, each counting for less as it ages, and since when they are counted; nil when
-- nothing ended within args.pace_ms. jobs/ledger/memory/pace.py has the same sums.
local function pace_of(hash)
  local fields = redis.call('HMGET', hash, 'pace', 'pace_since_ms', 'pace_at_ms')
  if not fields[1] or now_ms - tonumber(fields[3]) >= args.pace_ms then return nil end
  return tonumber(fields[1]) * math.exp((tonumber(fields[3]) - now_ms) / args.pace_ms), tonumber(fields[2])
end

-- Counts an end. The first one starts the measurement: how long it took is not known.
local function keep_pace(hash)
  local pace, since_ms = pace_of(hash)
  redis.call('HSET', hash, 'pace', pace and string.format('%.17g', pace + 1) or 0,
    'pace_since_ms', since_ms or now_ms, 'pace_at_ms', now_ms)
end

-- Items that ended in a second of late, as text because an answer's numbers are whole; '0' where it is not known.
local function ends_per_second(hash)
  local pace, since_ms = pace_of(hash)
  if not pace or now_ms <= since_ms then return '0' end
  return string.format('%.17g', 1000 * pace / (args.pace_ms * (1 - math.exp((since_ms - now_ms) / args.pace_ms))))
end

-- Ends an item for good, once it has left its queue. Done: its reserved credits are booked; failed: they are released.
local function end_item(item, state, outcome, text)
  local item_key = key('item', item)
  local uid, index = string.match(item, '^(.*):(%d+)$')
  local task_key = key('task', uid)
  local fields = redis.call('HMGET', item_key, 'account', 'token', 'reserved', 'price')
  local account, token, reserved = fields[1], fields[2], tonumber(fields[3])
  local account_key = key('account', account)

  -- The token stays in the item, so that a repeat of FINISH or FAIL is known as such.
  redis.call('HSET', item_key, 'state', state, outcome, text, 'ended_at_ms', now_ms)
  if token then drop_claim(item, token) end

  redis.call('HINCRBY', account_key, 'reserved', -reserved)
  if state == 'done' then
    redis.call('HINCRBY', account_key, 'used', reserved)
    redis.call('HINCRBY', account_key, 'booked', fields[4])
    redis.call('HINCRBY', key('totals'), 'booked', fields[4])
    redis.call('HINCRBY', task_key, 'done_count', 1)
  end
  redis.call('HINCRBY', account_key, 'open', -1)
  redis.call('HINCRBY', key('totals'), 'open', -1)

  if redis.call('HINCRBY', task_key, 'open_count', -1) == 0 then
    redis.call('HSET', task_key, 'ended_at_ms', now_ms)
    redis.call('ZADD', key('ended'), now_ms, uid)
    redis.call('ZREM', key('unfinished', account), uid)
    for _, delivery in ipairs(deliveries(uid)) do add_errand(delivery[1], account, delivery[2]) end
  end
  redis.call('PUBLISH', key('events', uid), index .. ' ' .. state)
end

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

-- Puts a running item back to its old place. The attempt is taken off again unless it counts.
local function requeue(item, counts)
  local item_key = key('item', item)
  local fields = redis.call('HMGET', item_key, 'token', 'lane', 'account', 'number', 'hinted_at_ms')
  drop_claim(item, fields[1])
  redis.call('HDEL', item_key, 'token')
  redis.call('HSET', item_key, 'state', 'queued', 'queued_at_ms', now_ms)
  if not counts then redis.call('HINCRBY', item_key, 'attempts', -1) end
  enter_queue(item, fields[2], fields[3], fields[4], now_ms, fields[5])
end

-- Whether a running item's worker held on until the hard deadline: leases end there at the latest, so it was alive,
-- and hung.
local function held_to_the_end(item, lease_until_ms)
  local hard_deadline_ms = tonumber(redis.call('HGET', key('item', item), 'hard_deadline_ms'))
  return hard_deadline_ms <= math.min(lease_until_ms, now_ms)
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

-- Makes a move once for each args.call: a repeat has its first answer.
local function once(move)
  local memory = key('answer', args.call)
  local answer = redis.call('GET', memory)
  if answer then return cjson.decode(answer) end
  answer = move()
  redis.call('SET', memory, cjson.encode(answer), 'PX', args.memory_ms)
  return answer
end

-- Whether a task can be seen: not marked as hidden, and not past its retention, swept or not.
local function visible(uid)
  local fields = redis.call('HMGET', key('task', uid), 'account', 'ended_at_ms', 'hidden')
  if not fields[1] or fields[3] then return false end
  return not fields[2] or now_ms - tonumber(fields[2]) < args.retention_ms
end

-- Whether an account can see an upload: its own, not marked as hidden, and not unused past its retention.
local function visible_upload(uid, account)
  local fields = redis.call('HMGET', key('upload', uid), 'account', 'used_at_ms', 'hidden')
  if fields[1] ~= account or fields[3] then return false end
  return now_ms - tonumber(fields[2]) < args.upload_retention_ms
end

-- Counts as a use of an upload: its retention begins anew.
local function touch_upload(uid)
  redis.call('HSET', key('upload', uid), 'used_at_ms', now_ms)
  redis.call('ZADD', key('uploads'), now_ms, uid)
end

-- KEEP_UPLOAD and KEPT in common: records args.picture as the upload args.uid of args.account. Answers whether it is
-- there; it is not when its blob is so old that the sweeper may take it.
local function record_upload()
  local upload_key = key('upload', args.uid)
  if redis.call('EXISTS', upload_key) == 0 then
    if now_ms - args.made_at_ms > args.source_max_age_ms then return false end
    redis.call('HSET', upload_key, 'account', args.account, 'picture', args.picture)
  end
  touch_upload(args.uid)
  return true
end

-- The task that args.idempotency stands for and the digest of its content; nil when there is none to be seen.
local function remembered()
  local first = redis.call('HMGET', key('idempotency', args.idempotency.name), 'uid', 'content_digest', 'until_ms')
  if not first[1] or tonumber(first[3]) <= now_ms or not visible(first[1]) then return nil end
  return first[1], first[2]
end

-- FINISH and FAIL in common: args.token must hold args.item. Answers 1 or 0; a repeat answers as the first time.
local function end_claim(state, outcome, text)
  local fields = redis.call('HMGET', key('item', args.item), 'state', 'token')
  if fields[2] ~= args.token then return 0 end
  if fields[1] == 'running' then
    end_item(args.item, state, outcome, text)
    -- Only what workers end is work done: what is terminated or waits too long says nothing about the next item.
    keep_pace(key('account', redis.call('HGET', key('item', args.item), 'account')))
    keep_pace(key('totals'))
    return 1
  end
  if fields[1] == state then return 1 end
  return 0
end
