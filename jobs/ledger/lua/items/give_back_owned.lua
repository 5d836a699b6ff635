-- needs: claims, failing, once
--
-- GIVE_BACK by owner: puts back everything that a worker held which has gone. What it computed until the hard deadline
-- fails: the worker hung.
--
--   owner
--   died                  whether the attempts count
--   max_attempts, source_ms
--   max_strikes, strike_ms, charge_strikes
--   worker_lost           JSON of the error, for an item whose attempts are used up
--   too_slow              JSON of the error, for an item past its hard deadline
--   call, memory_ms       a token of this call, and how long its answer is remembered
--
-- Answers the number of items.
return once(function()
  local items = redis.call('SMEMBERS', key('held', args.owner))
  table.sort(items)
  for _, item in ipairs(items) do
    if held_to_the_end(item, tonumber(redis.call('ZSCORE', key('leases'), item))) then
      take_overdue(item)
    elseif args.died then
      lose_worker(item)
    else
      requeue(item, 'worker_stopped', false)
    end
  end
  return #items
end)
