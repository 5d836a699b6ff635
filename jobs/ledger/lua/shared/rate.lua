-- Takes a request's places in a rate, if it has so many left: GCRA, the generic cell rate algorithm (ITU-T I.371). One
-- number a name, the time at which all places are free again.
--
--   rate    {name, limit, window_us, weight}: so many places, each free again after window_us / limit
--   owed    nil, or true: they are taken although they are not free, and who comes next waits for longer
--
-- Answers {1 or 0, places left, now, microseconds until there is one more, or for a refused request enough}.
local function take(rate, owed)
  local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2]) + tonumber(ARGV[1]) * 1000
  local place_us = rate.window_us / rate.limit
  local taken_us = math.max(tonumber(redis.call('GET', key('places', rate.name)) or 0) - now_us, 0)
  -- A place counts as free a moment early: what was added up may not come out even.
  local left = math.max(math.floor((rate.window_us - taken_us) / place_us + 0.001), 0)
  if rate.weight > left and not owed then
    return {0, left, now_us, math.ceil(taken_us + rate.weight * place_us - rate.window_us)}
  end
  taken_us, left = taken_us + rate.weight * place_us, math.max(left - rate.weight, 0)
  redis.call('SET', key('places', rate.name), string.format('%.0f', now_us + taken_us), 'PX', math.ceil(taken_us / 1000))
  return {1, left, now_us, math.ceil(taken_us + (left + 1) * place_us - rate.window_us)}
end
