-- needs: pace, uploads

-- Why an account may have no such task as things stand, or nil:
-- {'credits', available, price}, {'too_many', scope, items, cap}, a refusal of `uploads_full`, or
-- {'full', scope, open, cap, items over the cap, items that end in a second}.
--
--   price, item_count    of the task
--   keeps                whether what it fetches becomes an upload
local function task_refused(price, item_count, keeps)
  local account_key = key('account', args.account)
  local granted, used, reserved, open = unpack(redis.call('HMGET', account_key, 'granted', 'used', 'reserved', 'open'))
  -- An account that was never granted credits is not metered.
  local available = granted and granted - (used or 0) - (reserved or 0)
  if granted and price > available then return {'credits', available, price} end

  local places = {
    {'account', tonumber(open or 0), args.account_cap, account_key},
    {'service', number_of(key('totals'), 'open'), args.total_cap, key('totals')},
  }
  -- What can never fit is told before what has to wait.
  for _, place in ipairs(places) do
    local scope, _, cap = unpack(place)
    if item_count > cap then return {'too_many', scope, item_count, cap} end
  end
  -- How long the picture is shows only once it is here.
  local uploads = keeps and uploads_full(args.account, 1, args.upload_cap, args.upload_cap_bytes)
  if uploads then return uploads end
  for _, place in ipairs(places) do
    local scope, open, cap, hash = unpack(place)
    local over = open + item_count - cap
    if over > 0 then return {'full', scope, open, cap, over, ends_per_second(hash)} end
  end
  return nil
end
