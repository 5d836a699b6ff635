-- needs: uploads
--
-- USE_UPLOAD: an upload, whose retention begins anew.
--
--   uid, account
--   upload_retention_ms
--
-- Answers the picture as KEEP_UPLOAD got it, or nil when the account has no such upload.
if not visible_upload(args.uid, args.account) then return nil end
touch_upload(args.uid)
return redis.call('HGET', key('upload', args.uid), 'picture')
