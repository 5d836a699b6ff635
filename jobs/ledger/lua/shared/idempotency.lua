-- needs: tasks, uploads

-- How long a call that joined a task is known by its token, for its repeat.
local JOINS_MS = 60000

-- The task or upload that args.idempotency stands for and the digest of its content; nil when there is none to be seen.
-- A repeat of its content counts for a time; the name alone stands for it as long as it is there. Nobody joins a task of
-- which something has failed: who asks again is to have another try.
local function remembered()
  local known = redis.call('GET', key('idempotency', args.idempotency.name))
  if not known then return nil end
  local first, content_digest, until_ms = string.match(known, '^(%S+) (%S+) (%S+)$')
  if args.idempotency.content_digest and tonumber(until_ms) <= now_ms then return nil end
  if not visible(first) and not visible_upload(first, args.account) then return nil end
  if args.idempotency.joins and has_failure(first) then return nil end
  return first, content_digest
end

-- {'repeated', uid} where args.idempotency stands for the same content already, {'conflict'} for other content, else nil.
-- Who joins a task is counted among those that wait for it, once for each token of a call.
local function repeated()
  if not args.idempotency then return nil end
  local first, content_digest = remembered()
  if first and content_digest ~= args.idempotency.content_digest then return {'conflict'} end
  local joins = args.idempotency.joins
  if first and joins and redis.call('HEXISTS', key('task', first), 'waiters') == 1
    and redis.call('SET', key('answer', joins), first, 'NX', 'PX', JOINS_MS) then
    redis.call('HINCRBY', key('task', first), 'waiters', 1)
  end
  return first and {'repeated', first}
end

-- Has args.idempotency, where there is any, stand for a task or upload from now on.
local function remember(uid)
  if not args.idempotency then return end
  -- The time is kept beside the expiry because the script's clock can be ahead of the server's in tests.
  local until_ms = string.format('%.0f', now_ms + args.idempotency.lifetime_ms)
  redis.call('SET', key('idempotency', args.idempotency.name),
    uid .. ' ' .. args.idempotency.content_digest .. ' ' .. until_ms, 'PX', args.idempotency.kept_ms)
end
