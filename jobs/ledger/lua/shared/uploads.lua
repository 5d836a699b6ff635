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

-- Why an account may keep no further picture of so many bytes, or nil: {'uploads', measure, kept, cap}.
local function uploads_full(account, size_bytes, cap, cap_bytes)
  local count = redis.call('HLEN', key('uploads_of', account))
  if count + 1 > cap then return {'uploads', 'pictures', count, cap} end
  local bytes = number_of(key('account', account), 'upload_bytes')
  if bytes + size_bytes > cap_bytes then return {'uploads', 'bytes', bytes, cap_bytes} end
  return nil
end

-- KEEP_UPLOAD and KEPT in common: records args.picture as the upload args.uid of args.account. Answers nil once it is
-- there, or why it is not: a refusal of `uploads_full`, or {'expired'} when its blob is so old that the sweeper may take
-- it.
local function record_upload(cap, cap_bytes)
  local upload_key = key('upload', args.uid)
  if redis.call('EXISTS', upload_key) == 0 then
    if now_ms - args.made_at_ms > args.source_max_age_ms then return {'expired'} end
    local full = uploads_full(args.account, args.size_bytes, cap, cap_bytes)
    if full then return full end
    redis.call('HSET', upload_key, 'account', args.account, 'picture', args.picture)
    redis.call('HSET', key('uploads_of', args.account), args.uid, args.size_bytes)
    redis.call('HINCRBY', key('account', args.account), 'upload_bytes', args.size_bytes)
    redis.call('SADD', key('uploaders'), args.account)
  end
  touch_upload(args.uid)
  return nil
end

-- Deletes the record of an upload, which its account has room for again, and the name of its request.
local function forget_upload(uid)
  local account, named = unpack(redis.call('HMGET', key('upload', uid), 'account', 'named'))
  local name = named and key('idempotency', named)
  -- Once an upload is past its retention, another one may have the name.
  if name and string.match(redis.call('GET', name) or '', '^%S+') == uid then redis.call('DEL', name) end
  local uploads = key('uploads_of', account)
  local bytes = redis.call('HGET', uploads, uid)
  if bytes then
    redis.call('HDEL', uploads, uid)
    redis.call('HINCRBY', key('account', account), 'upload_bytes', 0 - bytes)
  end
  if redis.call('EXISTS', uploads) == 0 then redis.call('SREM', key('uploaders'), account) end
  redis.call('DEL', key('upload', uid))
  redis.call('ZREM', key('uploads'), uid)
end
