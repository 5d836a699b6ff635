-- needs: claims, failing, once
--
-- GIVE_BACK by owner: puts back everything that a worker held which has gone. What it held on to until the hard
-- deadline fails: the worker hung.
--
--   owner
--   died                  whether the attempts count
--   max_attempts
--   worker_lost           JSON of the error, for an item whose attempts are used up
--   too_slow              JSON of the error, for an item past its hard deadline
--   call, memory_ms       a token of this call, and how long its answer is remembered
--
-- Answers {the number of items, left, poisoned}, the last two as in shared/failing.lua.
return once(function()
  local count = 0
  local leases = redis.call('ZRANGE', key('leases'), 0, -1, 'WITHSCORES')
  for position = 1, #leases, 2 do
    local item = leases[position]
    if redis.call('HGET', key('item', item), 'owner') == args.owner then
      if held_to_the_end(item, tonumber(leases[position + 1])) then
        fail_item(item, args.too_slow)
      elseif args.died then
        lose_worker(item)
      else
        requeue(item, false)
      end
      count = count + 1
    end
  end
  return {count, left, poisoned}
end)
