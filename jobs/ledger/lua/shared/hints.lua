-- Hints: "there is work in this lane". They are Celery's messages, on the list of its queue: kombu names it as the queue.

-- The most that a lane has at a time. Who follows one leaves another while there is more to do, so that a few wake any
-- number of workers.
local MOST_HINTS = 32

-- Adds hints: version 2 of Celery's message protocol.
local function send_hints(lane, count)
  for _ = 1, count do
    local id = 'hint-' .. redis.call('HINCRBY', key('totals'), 'hints', 1)
    redis.call('LPUSH', key('hints', lane), cjson.encode({
      body = '[[' .. cjson.encode(lane) .. '], {}, {}]',
      ['content-type'] = 'application/json',
      ['content-encoding'] = 'utf-8',
      headers = {lang = 'py', task = 'cutgate.run', id = id, root_id = id, retries = 0, ignore_result = true},
      properties = {
        correlation_id = id, delivery_tag = id, delivery_mode = 2, priority = 0,
        delivery_info = {exchange = '', routing_key = key('hints', lane)},
      },
    }))
  end
end

-- Adds one unless there are as many as there may be, or as items wait.
local function hint(lane)
  local pending = redis.call('LLEN', key('hints', lane))
  if pending < MOST_HINTS and pending < redis.call('ZCARD', key('lane', lane)) then send_hints(lane, 1) end
end
