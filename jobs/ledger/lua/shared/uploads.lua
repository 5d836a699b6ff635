-- Whether an account can see an upload: its own, not marked as hidden, and not unused past its retention.
local function visible_upload(uid, account)
  local fields = redis.call('HMGET', key('upload', uid), 'account', 'used_at_ms', 'hidden')
  if fields[1] ~= account or fields[3] then return false end
  return now_ms - tonumber(fields[2]) < args.upload_retention_ms
end

-- Counts as a use of an upload: its retention begins anew.
local function touch_upload(uid)
  redis.call('HSET', key('upload', uid), 'used_at_ms', now_ms)
  redis.call('ZADD', key('uploads'), now_ms, uid)
end

-- KEEP_UPLOAD and KEPT in common: records args.picture as the upload args.uid of args.account. Answers whether it is
-- there; it is not when its blob is so old that the sweeper may take it.
local function record_upload()
  local upload_key = key('upload', args.uid)
  if redis.call('EXISTS', upload_key) == 0 then
    if now_ms - args.made_at_ms > args.source_max_age_ms then return false end
    redis.call('HSET', upload_key, 'account', args.account, 'picture', args.picture)
  end
  touch_upload(args.uid)
  return true
end
