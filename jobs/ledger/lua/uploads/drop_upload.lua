-- needs: uploads
--
-- DROP_UPLOAD: deletes the record of an upload. Its blob goes afterwards.
--
--   uid, account
--   upload_retention_ms
--   call, memory_ms       names this call, and how long its answer is remembered
--
-- Answers the picture as KEEP_UPLOAD got it, or nil when the account has no such upload. A repeat answers as the first
-- call; what is refused leaves no memory.
local DROPPED_MS = 60000

local memory = key('answer', args.call)
local picture = redis.call('GET', memory)
if picture then return picture end
if not visible_upload(args.uid, args.account) then return nil end
picture = redis.call('HGET', key('upload', args.uid), 'picture')
forget_upload(args.uid)
redis.call('SET', memory, picture, 'PX', args.memory_ms)
-- A KEEP_UPLOAD that arrives late once more must not record it anew: its blob goes.
redis.call('SET', key('answer', args.uid), 'dropped', 'PX', DROPPED_MS)
return picture
