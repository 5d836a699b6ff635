-- needs: urgency
--
-- FIGURES: how much work there is.
--
--   retention_ms, upload_retention_ms
--
-- Answers {booked, done, records and sources past their time, {{lane, waiting, milliseconds since the oldest one's task was
-- accepted, running}, ...}}.

-- Acceptance numbers rise in time, so that the lowest of all accounts' first ones is the oldest: of those that are urgent,
-- and of those that are not.
local function oldest_of(lane)
  local oldest, lowest
  for _, account in ipairs(redis.call('ZRANGE', key('turns', lane), 0, -1)) do
    for _, from in ipairs({'-inf', 0}) do
      local first = redis.call('ZRANGEBYSCORE', key('waiting', lane .. '/' .. account), from, '+inf', 'WITHSCORES',
        'LIMIT', 0, 1)
      local number = number_at(tonumber(first[2] or math.huge))
      if number < (lowest or math.huge) then oldest, lowest = first[1], number end
    end
  end
  return oldest
end

-- Counted from the leases, which are as few as workers hold items: a count beside them could drift.
local running = {}
for _, item in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local lane = redis.call('HGET', key('item', item), 'lane')
  if lane then running[lane] = (running[lane] or 0) + 1 end
end

local lanes = redis.call('SMEMBERS', key('lanes'))
table.sort(lanes)
local found = {}
for position, lane in ipairs(lanes) do
  local oldest, age_ms = oldest_of(lane), 0
  if oldest then age_ms = now_ms - number_of(key('task', string.match(oldest, '^(.*):')), 'created_at_ms') end
  found[position] = {lane, redis.call('ZCARD', key('lane', lane)), age_ms, running[lane] or 0}
end
local done = number_of(key('totals'), 'done')
local overdue = redis.call('ZCOUNT', key('spent'), '-inf', now_ms)
  + redis.call('ZCOUNT', key('ended'), '-inf', now_ms - args.retention_ms)
  + redis.call('ZCOUNT', key('uploads'), '-inf', now_ms - args.upload_retention_ms)
return {number_of(key('totals'), 'booked'), done, overdue, found}
