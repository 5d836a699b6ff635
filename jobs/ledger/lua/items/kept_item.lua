-- needs: tasks
--
-- KEPT_ITEM: what a finished item left for corrections.
--
--   uid, item, account, retention_ms
--
-- Answers {spec, source, mask, background or ''}, or nil where nothing is kept, or the account has no such task.
if not visible(args.uid) or redis.call('HGET', key('task', args.uid), 'account') ~= args.account then return nil end
local fields = redis.call('HMGET', key('item', args.item), 'state', 'spec', 'source', 'mask', 'background')
if fields[1] ~= 'done' or not fields[4] then return nil end
return {fields[2], fields[3], fields[4], fields[5] or ''}
