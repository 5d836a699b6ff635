-- needs: reading
--
-- PROGRESS: tasks as they stand, and how far those are that have not ended.
--
--   uids, and what `read_tasks` takes
--
-- Answers for each id {task, place, phase}: the task as `read_tasks` answers it; as long as no item of it was claimed, its
-- first item's place in the lane, 1 for the next, where that waits there; from then on what a worker does with the
-- first item that runs, if any does. Answers fewer than there are ids where it would be too much at a time.
--
-- A place is an estimate. Accounts take turns, so before an item stand those before it in its account, and as many of each
-- other account, one more where that one's turn comes sooner. Items that come later, urgent or after a failure, and
-- accounts that are held back change it.

-- Accounts of a lane that are counted one by one; all others count as the mean of them.
local COUNTED = 100
-- Items of a task that are looked at for one that runs.
local LOOKED_AT = 32

local lines = {}

-- How many items each account has waiting in a lane, in the order of their turns.
local function line_of(lane)
  if lines[lane] then return lines[lane] end
  local line, left = {positions = {}}, redis.call('ZCARD', key('lane', lane))
  for position, account in ipairs(redis.call('ZRANGE', key('turns', lane), 0, COUNTED - 1)) do
    line[position] = redis.call('ZCARD', key('waiting', lane .. '/' .. account))
    line.positions[account] = position
    left = left - line[position]
  end
  line.others = redis.call('ZCARD', key('turns', lane)) - #line
  line.mean = math.max(0, left) / math.max(1, line.others)
  lines[lane] = line
  return line
end

local function place_of(item)
  local state, lane, account = unpack(redis.call('HMGET', key('item', item), 'state', 'lane', 'account'))
  if state ~= 'queued' then return false end
  local rank = redis.call('ZRANK', key('waiting', lane .. '/' .. account), item)
  if not rank then return false end
  local line = line_of(lane)
  local own = line.positions[account] or #line + 1
  local before = rank + line.others * math.min(line.mean, rank)
  for position, waiting in ipairs(line) do
    if position ~= own then before = before + math.min(waiting, position < own and rank + 1 or rank) end
  end
  return math.floor(before) + 1
end

local function phase_of(uid, item_count)
  for index = 0, math.min(item_count, LOOKED_AT) - 1 do
    local state, phase = unpack(redis.call('HMGET', key('item', uid .. ':' .. index), 'state', 'phase'))
    if state == 'running' then return phase or 'reading' end
  end
  return false
end

local answers = {}
for position, task in ipairs(read_tasks(args.uids)) do
  local uid, place, phase = args.uids[position], false, false
  if task and not task[2] then
    if redis.call('HGET', key('task', uid), 'started') == '1' then
      phase = phase_of(uid, tonumber(task[5]))
    else
      place = place_of(uid .. ':0')
    end
  end
  answers[position] = {task, place, phase}
end
return answers
