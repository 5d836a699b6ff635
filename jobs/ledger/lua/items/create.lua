-- needs: admission, errands, idempotency, queue, urgency
--
-- CREATE: accepts a task with its items, or refuses it and stores nothing.
--
--   uid, account, origin, memo    of the task
--   made_at_ms             when the uid was made, and with it the source blobs
--   items                  list of {lane, spec, source, price}, with a url where the source is still to be fetched,
--                          and keep where it then becomes an upload; background where one lies, background_url
--                          where it is still to be fetched; mask where one lies that the item is made from;
--                          urgent where it stands before the account's others;
--                          rate (as `take` has it) that a url's megapixels beyond the first count in
--   request                nil, or JSON: the request that made the task
--   deliveries             nil, or JSON: a list of {kind, url}
--   idempotency            nil, or {name, content_digest, lifetime_ms, kept_ms}: how long a repeat counts, and the name;
--                          joins, a token of this call, where repeats join the task unless it fails, and are counted
--   account_cap, total_cap, source_max_age_ms, retention_ms, upload_retention_ms
--   upload_cap, upload_cap_bytes    what uploads of the account may be, where an item becomes one
--   pace_ms                how far back the ends of items count for their pace
--
-- Answers {'created', uid}, {'repeated', uid of the first task}, or a refusal:
-- {'conflict'}, {'expired'}, or one of `task_refused`.
local task_key = key('task', args.uid)
local account_key = key('account', args.account)

-- The reply was lost and the call comes again: the task is there, and costs nothing again.
if redis.call('EXISTS', task_key) == 1 then return {'created', args.uid} end

local known = repeated()
if known then return known end

local price = 0
for _, item in ipairs(args.items) do price = price + item.price end
local refused = task_refused(price, #args.items, args.items[1].keep)
if refused then return refused end
-- An account that was never granted credits is not metered: it reserves nothing.
local metered = redis.call('HEXISTS', account_key, 'granted') == 1

-- The sweeper takes blobs without a record once they are old: younger ones are safe until the record exists.
if now_ms - args.made_at_ms > args.source_max_age_ms then return {'expired'} end

for position, item in ipairs(args.items) do
  local id = args.uid .. ':' .. (position - 1)
  local number = redis.call('HINCRBY', key('totals'), 'accepted', 1)
  local place = place_of(number, item.urgent)
  local reserved = metered and item.price or 0
  redis.call('HSET', key('item', id), 'state', (item.url or item.background_url) and 'fetching' or 'queued',
    'account', args.account,
    'lane', item.lane, 'spec', item.spec, 'source', item.source, 'price', item.price, 'reserved', reserved,
    'number', place, 'attempts', 0, 'queued_at_ms', now_ms)
  if item.mask then redis.call('HSET', key('item', id), 'mask', item.mask) end
  if item.background then redis.call('HSET', key('item', id), 'background', item.background) end
  if item.url or item.background_url then
    redis.call('ZADD', key('queued'), now_ms, id)
    add_errand(fetch_errand(id), args.account, item.url or '', item.keep)
    if item.background_url then
      redis.call('HSET', key('errand', fetch_errand(id)), 'background_url', item.background_url)
    end
    if not item.url then redis.call('HSET', key('item', id), 'sent', 1) end
    if item.rate then redis.call('HSET', key('errand', fetch_errand(id)), 'rate', cjson.encode(item.rate)) end
    -- The courier does not know the account's terms.
    if item.keep then
      redis.call('HSET', key('errand', fetch_errand(id)), 'upload_cap', args.upload_cap,
        'upload_cap_bytes', args.upload_cap_bytes)
    end
  else
    enter_queue(id, item.lane, args.account, place, now_ms)
  end
  redis.call('HINCRBY', account_key, 'reserved', reserved)
  if position == 1 then redis.call('ZADD', key('unfinished', args.account), number, args.uid) end
end
redis.call('HINCRBY', account_key, 'open', #args.items)
redis.call('HINCRBY', key('totals'), 'open', #args.items)
redis.call('HSET', task_key, 'account', args.account, 'origin', args.origin, 'memo', args.memo,
  'created_at_ms', now_ms, 'item_count', #args.items, 'open_count', #args.items, 'done_count', 0, 'started', 0)
if args.request then redis.call('HSET', task_key, 'request', args.request) end
if args.deliveries then redis.call('HSET', task_key, 'deliveries', args.deliveries) end
if args.idempotency then
  redis.call('HSET', task_key, 'named', args.idempotency.name)
  if args.idempotency.joins then redis.call('HSET', task_key, 'waiters', 1) end
end

remember(args.uid)
return {'created', args.uid}
