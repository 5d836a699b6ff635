-- needs: ending, pace, strikes
--
-- END: ends a claimed item. Done: its price is booked; failed: it is released.
--
--   item, token
--   state       'done' or 'failed'
--   outcome     the item's field for the text: 'result' or 'error'
--   text        JSON, as jobs/ledger/encoding.py writes it
--   source_ms   after how long its source may go
--   pace_ms     how far back the ends of items count for their pace
--   mask        nil, or where the mask of a done item lies, which is kept with its source for corrections
--   kept_bytes, most_kept_bytes    how long they are, and how long those of an account may be
--   harmful     nil, or true where it failed in a way that counts against its account, and may be charged
--   slow        nil, or true where it counts against its account because it took long to decode
--   max_strikes, strike_ms, charge_strikes
--
-- Answers 1, or 0 when the claim no longer holds; a repeat answers as the first time. Past its lease or its hard
-- deadline a claim holds all the same, until the reaper has taken the item back.
local fields = redis.call('HMGET', key('item', args.item), 'state', 'token', 'account')
if fields[2] ~= args.token then return 0 end
if fields[1] ~= 'running' then return fields[1] == args.state and 1 or 0 end
if args.harmful or args.slow then strike(fields[3]) end
end_item(args.item, args.state, args.outcome, args.text, args.harmful and args.charge_strikes, args.mask)
-- Only what workers end is work done: what is terminated or waits too long says nothing about the next item.
keep_pace(key('account', fields[3]))
keep_pace(key('totals'))
return 1
