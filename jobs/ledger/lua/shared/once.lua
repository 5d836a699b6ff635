-- Makes a move once for each args.call: a repeat has its first answer.
local function once(move)
  local memory = key('answer', args.call)
  local answer = redis.call('GET', memory)
  if answer then return cjson.decode(answer) end
  answer = move()
  redis.call('SET', memory, cjson.encode(answer), 'PX', args.memory_ms)
  return answer
end
