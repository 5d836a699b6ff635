-- needs: pace, uploads

-- Why an account may have no such task as things stand, or nil:
-- {'credits', available, price}, {'too_many', scope, items, cap}, a refusal of `uploads_full`, or
-- {'full', scope, open, cap, items over the cap, items that end in a second}.
--
--   price, item_count    of the task
--   keeps                whether what it fetches becomes an upload
local function task_refused(price, item_count, keeps)
  local account_key = key('account', args.account)
  -- An account that was never granted credits is not metered.
  if redis.call('HEXISTS', account_key, 'granted') == 1 then
    local available = number_of(account_key, 'granted') - number_of(account_key, 'used')
      - number_of(account_key, 'reserved')
    if price > available then return {'credits', available, price} end
  end

  local places = {{'account', account_key, args.account_cap}, {'service', key('totals'), args.total_cap}}
  -- What can never fit is told before what has to wait.
  for _, place in ipairs(places) do
    local scope, _, cap = unpack(place)
    if item_count > cap then return {'too_many', scope, item_count, cap} end
  end
  -- How long the picture is shows only once it is here.
  local uploads = keeps and uploads_full(args.account, 1, args.upload_cap, args.upload_cap_bytes)
  if uploads then return uploads end
  for _, place in ipairs(places) do
    local scope, hash, cap = unpack(place)
    local open = number_of(hash, 'open')
    local over = open + item_count - cap
    if over > 0 then return {'full', scope, open, cap, over, ends_per_second(hash)} end
  end
  return nil
end
