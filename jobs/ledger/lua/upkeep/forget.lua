-- needs: uploads
--
-- FORGET: deletes the record of a task or an upload that is marked as gone.
--
--   uid
local task_key = key('task', args.uid)
if redis.call('HEXISTS', task_key, 'hidden') == 1 then
  for index = 0, number_of(task_key, 'item_count') - 1 do
    redis.call('DEL', key('item', args.uid .. ':' .. index))
  end
  redis.call('DEL', task_key)
  redis.call('ZREM', key('ended'), args.uid)
end
if redis.call('HEXISTS', key('upload', args.uid), 'hidden') == 1 then forget_upload(args.uid) end
