-- needs: failing, once, tasks
--
-- TERMINATE: ends every item of a task that has not ended, as failed. Items that are done stay booked.
--
--   uid, account
--   error          JSON, as jobs/ledger/encoding.py writes it
--   retention_ms, source_ms
--   call, memory_ms    a token of this call, and how long its answer is remembered
--
-- Answers 1, or 0 when the account has no such task.
local task_key = key('task', args.uid)

return once(function()
  if not visible(args.uid) or redis.call('HGET', task_key, 'account') ~= args.account then return 0 end
  for index = 0, number_of(task_key, 'item_count') - 1 do
    local item = args.uid .. ':' .. index
    local state = redis.call('HGET', key('item', item), 'state')
    if state ~= 'done' and state ~= 'failed' then fail_item(item, args.error) end
  end
  return 1
end)
