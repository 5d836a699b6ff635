-- needs: tasks

-- The task that args.idempotency stands for and the digest of its content; nil when there is none to be seen.
local function remembered()
  local first = redis.call('HMGET', key('idempotency', args.idempotency.name), 'uid', 'content_digest', 'until_ms')
  if not first[1] or tonumber(first[3]) <= now_ms or not visible(first[1]) then return nil end
  return first[1], first[2]
end
