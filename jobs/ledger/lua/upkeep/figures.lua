-- FIGURES: how much work there is.
--
-- Answers {running, booked, done, {{lane, waiting, milliseconds since the oldest one's task was accepted}, ...}}.

-- Acceptance numbers rise in time, so that the lowest of all accounts' first ones is the oldest.
local function oldest_of(lane)
  local oldest, lowest
  for _, account in ipairs(redis.call('ZRANGE', key('turns', lane), 0, -1)) do
    local first = redis.call('ZRANGE', key('waiting', lane .. '/' .. account), 0, 0, 'WITHSCORES')
    if not lowest or tonumber(first[2]) < lowest then oldest, lowest = first[1], tonumber(first[2]) end
  end
  return oldest
end

local lanes = redis.call('SMEMBERS', key('lanes'))
table.sort(lanes)
local found = {}
for position, lane in ipairs(lanes) do
  local oldest, age_ms = oldest_of(lane), 0
  if oldest then age_ms = now_ms - number_of(key('task', string.match(oldest, '^(.*):')), 'created_at_ms') end
  found[position] = {lane, redis.call('ZCARD', key('lane', lane)), age_ms}
end
local done = number_of(key('totals'), 'done')
return {redis.call('ZCARD', key('leases')), number_of(key('totals'), 'booked'), done, found}
