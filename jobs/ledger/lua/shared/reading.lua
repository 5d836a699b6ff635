-- needs: tasks

-- Tasks of args.account, or of all, as they stand at one moment: for each id the fields of its hash and behind them those of its
-- items in order, or false where there is no such task. Of a task that has ended its own hash says all; the hashes of
-- an open task's items are read if that is asked for.
--
--   account           nil to an operator, who sees those of all
--   retention_ms
--   task_fields     what is asked of a task, first `account`, `ended_at_ms`, `hidden`, `retention_ms`, `item_count`,
--                   `items`, `terminated` and `memo`
--   item_fields     what is asked of items
--   open_items      nil, or true where items of open tasks are asked for
--   read_at_most    hashes, and KiB of memos and items: no other call is to wait for long
--
-- Answers fewer than there are ids where it would be too much at a time, but one at least.
local function read_tasks(uids)
  local answers, spent = {}, 0
  for position, uid in ipairs(uids) do
    if spent >= args.read_at_most then break end
    local fields = redis.call('HMGET', key('task', uid), unpack(args.task_fields))
    local account, ended_at_ms, hidden, retention_ms, item_count, items, terminated, memo = unpack(fields, 1, 8)
    local is_there = (not args.account or account == args.account) and is_visible(account, ended_at_ms, hidden, retention_ms)
    spent = spent + 1 + math.floor((#(memo or '') + #(items or '')) / 1024)
    if is_there and not items and not terminated and args.open_items then
      for index = 0, item_count - 1 do
        fields[#args.task_fields + 1 + index] =
          redis.call('HMGET', key('item', uid .. ':' .. index), unpack(args.item_fields))
      end
      spent = spent + item_count
    end
    answers[position] = is_there and fields
  end
  return answers
end
