-- DEFER: what is past its retention and cannot be deleted now is named again later, so that it keeps nothing else back.
--
--   uids, delay_ms
--   retention_ms, upload_retention_ms
for _, uid in ipairs(args.uids) do
  redis.call('ZADD', key('ended'), 'XX', now_ms - args.retention_ms + args.delay_ms, uid)
  redis.call('ZADD', key('uploads'), 'XX', now_ms - args.upload_retention_ms + args.delay_ms, uid)
end
