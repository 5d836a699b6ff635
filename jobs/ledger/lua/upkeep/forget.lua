-- FORGET: deletes the record of a task or an upload that is marked as gone.
--
--   uid
local task_key, upload_key = key('task', args.uid), key('upload', args.uid)
if redis.call('HEXISTS', task_key, 'hidden') == 1 then
  for index = 0, number_of(task_key, 'item_count') - 1 do
    redis.call('DEL', key('item', args.uid .. ':' .. index))
  end
  redis.call('DEL', task_key)
  redis.call('ZREM', key('ended'), args.uid)
end
if redis.call('HEXISTS', upload_key, 'hidden') == 1 then
  redis.call('DEL', upload_key)
  redis.call('ZREM', key('uploads'), args.uid)
end
