-- The next place in the line of accounts. Claims and entries draw from one counter, so no two places are equal.
local function next_turn()
  return redis.call('HINCRBY', key('totals'), 'turn', 1)
end
