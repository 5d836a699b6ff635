-- The request that made the task of an item or errand, as JSON; '' where nothing is known of it.
local function request_of(name)
  return redis.call('HGET', key('task', string.match(name, '^([^:]*):')), 'request') or ''
end

-- Whether a task with these fields can be seen: not marked as hidden, and not past its retention, swept or not.
local function is_visible(account, ended_at_ms, hidden, retention_ms)
  if not account or hidden then return false end
  return not ended_at_ms or now_ms - tonumber(ended_at_ms) < math.min(tonumber(retention_ms) or math.huge, args.retention_ms)
end

local function visible(uid)
  return is_visible(unpack(redis.call('HMGET', key('task', uid), 'account', 'ended_at_ms', 'hidden', 'retention_ms')))
end

-- Whether one of a task's items has failed.
local function has_failure(uid)
  local fields = redis.call('HMGET', key('task', uid), 'item_count', 'open_count', 'done_count')
  return fields[1] - fields[2] - fields[3] > 0
end

-- What a task's end makes due: {errand, url} of each delivery, in their order.
local function deliveries(uid)
  local found = cjson.decode(redis.call('HGET', key('task', uid), 'deliveries') or '[]')
  for position, delivery in ipairs(found) do
    found[position] = {uid .. ':' .. delivery.kind .. ':' .. (position - 1), delivery.url}
  end
  return found
end
