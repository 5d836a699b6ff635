-- COUNT_UPLOADS: mends the counts of an account's uploads, should they not be those of its records.
--
--   account
--
-- Answers by how many pictures and bytes they were wrong.
local uploads, account_key = key('uploads_of', args.account), key('account', args.account)
local listed = redis.call('HGETALL', uploads)
local gone, bytes = 0, 0
for position = 1, #listed, 2 do
  if redis.call('EXISTS', key('upload', listed[position])) == 1 then
    bytes = bytes + listed[position + 1]
  else
    redis.call('HDEL', uploads, listed[position])
    gone = gone + 1
  end
end
local wrong = number_of(account_key, 'upload_bytes') - bytes
if wrong ~= 0 then redis.call('HSET', account_key, 'upload_bytes', bytes) end
if gone * 2 == #listed then redis.call('SREM', key('uploaders'), args.account) end
return {gone, wrong}
