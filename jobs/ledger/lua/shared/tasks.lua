-- The request that made the task of an item or errand, as JSON; '' where nothing is known of it.
local function request_of(name)
  return redis.call('HGET', key('task', string.match(name, '^([^:]*):')), 'request') or ''
end

-- Whether a task can be seen: not marked as hidden, and not past its retention, swept or not.
local function visible(uid)
  local fields = redis.call('HMGET', key('task', uid), 'account', 'ended_at_ms', 'hidden', 'retention_ms')
  if not fields[1] or fields[3] then return false end
  return not fields[2] or now_ms - tonumber(fields[2]) < math.min(tonumber(fields[4]) or math.huge, args.retention_ms)
end

-- What a task's end makes due: {errand, url} of each delivery, in their order.
local function deliveries(uid)
  local found = cjson.decode(redis.call('HGET', key('task', uid), 'deliveries') or '[]')
  for position, delivery in ipairs(found) do
    found[position] = {uid .. ':' .. delivery.kind .. ':' .. (position - 1), delivery.url}
  end
  return found
end
