-- needs: once, uploads
--
-- DROP_UPLOAD: deletes the record of an upload. Its blob goes afterwards.
--
--   uid, account
--   upload_retention_ms
--   call, memory_ms       a token of this call, and how long its answer is remembered
--
-- Answers {the picture as KEEP_UPLOAD got it}, or {} when the account has no such upload.
return once(function()
  if not visible_upload(args.uid, args.account) then return {} end
  local picture = redis.call('HGET', key('upload', args.uid), 'picture')
  redis.call('DEL', key('upload', args.uid))
  redis.call('ZREM', key('uploads'), args.uid)
  return {picture}
end)
