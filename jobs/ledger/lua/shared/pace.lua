-- The pace of a hash: the ends so far, each counting for less as it ages, and since when they are counted; nil when
-- nothing ended within args.pace_ms.
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
