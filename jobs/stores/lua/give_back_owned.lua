-- GIVE_BACK by owner: puts back everything that a worker held which has gone.
--
--   owner
--   died                  whether the attempts count
--   max_attempts
--   worker_lost           JSON of the error, for an item whose attempts are used up
--   call, memory_ms       a token of this call, and how long its answer is remembered
--
-- Answers {the number of items}.
return once(function()
  local count = 0
  for _, item in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
    if redis.call('HGET', key('item', item), 'owner') == args.owner then
      if args.died then lose_worker(item) else requeue(item, false) end
      count = count + 1
    end
  end
  return {count}
end)
