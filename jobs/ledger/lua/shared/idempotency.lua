-- needs: tasks

-- The task that args.idempotency stands for and the digest of its content; nil when there is none to be seen.
-- A repeat of its content counts for a time; the name alone stands for it as long as the task is there.
local function remembered()
  local known = redis.call('GET', key('idempotency', args.idempotency.name))
  if not known then return nil end
  local first, content_digest, until_ms = string.match(known, '^(%S+) (%S+) (%S+)$')
  if args.idempotency.content_digest and tonumber(until_ms) <= now_ms then return nil end
  if not visible(first) then return nil end
  return first, content_digest
end
