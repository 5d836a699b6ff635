-- What every script needs. The key layout is the table in jobs/ledger/keys.py.
--
--   KEYS[1]  prefix of every key. Its hash tag keeps all keys in one slot, so a script may build their names.
--   ARGV[1]  milliseconds added to the server's clock: 0 outside tests.
--   ARGV[2]  the script's own arguments: a JSON object, so that they have names.
local prefix = KEYS[1]
local args = cjson.decode(ARGV[2])

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[1])

local function key(kind, name)
  if name then return prefix .. kind .. ':' .. name end
  return prefix .. kind
end

-- A number of a hash; a field that was never written counts as 0.
local function number_of(hash, field)
  return tonumber(redis.call('HGET', hash, field) or 0)
end
