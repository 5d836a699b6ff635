-- needs: uploads
--
-- FORGET: deletes the records of tasks and uploads that are marked as gone.
--
--   uids
for _, uid in ipairs(args.uids) do
  local task_key = key('task', uid)
  if redis.call('HEXISTS', task_key, 'hidden') == 1 then
    local account_key = key('account', redis.call('HGET', task_key, 'account'))
    for index = 0, number_of(task_key, 'item_count') - 1 do
      local item_key = key('item', uid .. ':' .. index)
      local bytes = number_of(item_key, 'kept_bytes')
      if bytes > 0 then redis.call('HINCRBY', account_key, 'kept_bytes', 0 - bytes) end
      redis.call('DEL', item_key)
    end
    redis.call('DEL', task_key)
    redis.call('ZREM', key('ended'), uid)
    redis.call('ZREM', key('failed'), uid)
  end
  if redis.call('HEXISTS', key('upload', uid), 'hidden') == 1 then forget_upload(uid) end
end
