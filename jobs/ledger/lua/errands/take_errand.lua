-- needs: errands, failing, tasks, turns
--
-- TAKE_ERRAND: takes an errand that is due, under a lease, in turn between the accounts and kinds that wait; within one
-- the errand that has been due for longest. Nobody watches the lease: at its end the errand is due again.
--
--   kinds           what may be taken
--   owner, token    the courier's process, and this taking's own token
--   lease_ms
--   account_cap     errands of one account that may be under way
--   batch           the most errands that enter their line in one call
--   max_crashes     after so many couriers that died with it an errand ends
--   crashed         JSON of the error of the item that is then not fetched
--
-- Answers {errand, request, account, url, keep, attempt, first_due_at_ms, taken_at_ms, background_url}, or nil when none is to be had.
local function answer(errand)
  return {errand, request_of(errand), unpack(redis.call('HMGET', key('errand', errand), 'account', 'url', 'keep', 'attempt',
    'first_due_at_ms', 'taken_at_ms', 'background_url'))}
end

-- Whether an errand's courier died with it, as often as is allowed: it ends then, and would kill all others.
local function kills_couriers(errand)
  if not redis.call('HGET', key('errand', errand), 'token') then return false end  -- it was postponed
  return redis.call('HINCRBY', key('errand', errand), 'crashes', 1) >= args.max_crashes
end

-- Puts what has fallen due by itself, postponed or left by its courier, in line.
local function enter_lines()
  local due = redis.call('ZRANGEBYSCORE', key('errands'), '-inf', now_ms, 'WITHSCORES', 'LIMIT', 0, args.batch)
  for position = 1, #due, 2 do
    local errand = due[position]
    local account = redis.call('HGET', key('errand', errand), 'account')
    redis.call('ZREM', key('errands'), errand)
    if not account then
      -- It is not there any more.
    elseif not kills_couriers(errand) then
      enter_line(errand, account, due[position + 1])
    elseif errand_kind(errand) == 'fetch' then
      fail_item(string.gsub(errand, ':fetch:', ':'), args.crashed)
    else
      remove_errand(errand)
    end
  end
end

-- The account whose turn it is for a kind, and its place in the line. Accounts at their cap are passed over; they are
-- few, since each has a whole cap of leases that have not lapsed.
local function first_in_line(kind)
  local position = 0
  while true do
    local account, place = unpack(redis.call('ZRANGE', key('errand_turns', kind), position, position, 'WITHSCORES'))
    if not account then return nil end
    if redis.call('ZCOUNT', key('under_way', account), now_ms + 1, '+inf') < args.account_cap then
      return account, tonumber(place)
    end
    position = position + 1
  end
end

-- The reply was lost and the call comes again: the token holds an errand already.
local held = redis.call('HGET', key('takings'), args.token)
if held then return answer(held) end

enter_lines()
local kind, account, first_place
for _, candidate in ipairs(args.kinds) do
  local waiting, place = first_in_line(candidate)
  -- All lines draw their places from one counter: the lowest has waited for longest, whatever its kind.
  if waiting and (not first_place or place < first_place) then
    kind, account, first_place = candidate, waiting, place
  end
end
if not kind then return nil end

local errand = redis.call('ZRANGE', key('due', kind .. '/' .. account), 0, 0)[1]
if not errand or redis.call('EXISTS', key('errand', errand)) == 0 then
  -- The index names what is not there: mended, the next call finds what is behind it.
  redis.call('ZREM', key('errand_turns', kind), account)
  if errand then redis.call('ZREM', key('due', kind .. '/' .. account), errand) end
  if redis.call('EXISTS', key('due', kind .. '/' .. account)) == 1 then
    redis.call('ZADD', key('errand_turns', kind), 'NX', next_turn(), account)
  end
  return nil
end
leave_line(errand, account)
-- Served: to the end of the line, if more of its errands wait (XX).
redis.call('ZADD', key('errand_turns', kind), 'XX', next_turn(), account)

let_go(errand)
redis.call('HSET', key('errand', errand), 'token', args.token, 'owner', args.owner, 'taken_at_ms', now_ms)
redis.call('HINCRBY', key('errand', errand), 'attempt', 1)
redis.call('HSET', key('takings'), args.token, errand)
redis.call('ZADD', key('errands'), now_ms + args.lease_ms, errand)
redis.call('ZADD', key('under_way', account), now_ms + args.lease_ms, errand)
return answer(errand)
