"""Owns the Lua scripts of the hot copy; each is one atomic step of the protocol in docs/decisions/0003-fenced-hot-copy.md.

Every script takes the same four keys of one game: its copy `h` (hash), marks `m` and readers `r` (sorted sets of names by
the time, in milliseconds of the server, when they lapse) and the fill token `f`. It must not know what a copy means.
"""

from __future__ import annotations

from storage.redis.client import Script

CLOCK = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
_MARKED = """
local marked = redis.call('ZCARD', KEYS[2])
if marked > 0 then marked = marked - redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now) end
"""
_LEASE = """
local function lease(worker, length)
  -- kept three times as long as the worker believes: a step of the server's clock does no harm
  redis.call('ZADD', KEYS[4], now + 3 * length, worker)
  redis.call('PEXPIRE', KEYS[4], 4 * length)
end
"""

_STORE = """
local function store(first)  -- fields and values from there on; Lua unpacks only so many at once
  for at = first, #ARGV, 2000 do
    redis.call('HSET', KEYS[1], unpack(ARGV, at, math.min(at + 1999, #ARGV)))
  end
end
"""

READ = Script.of(
    CLOCK
    + _MARKED
    + _LEASE
    + """
-- ARGV: worker, lease in ms, version that the worker has or -1, fill token or nothing, its ms, life of the copy in ms
if marked > 0 then return {'busy'} end
local found = redis.call('HMGET', KEYS[1], '@version', '@mark')
if found[1] and not found[2] then
  lease(ARGV[1], tonumber(ARGV[2]))
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
  if found[1] == ARGV[3] then return {'same'} end
  return {'copy', redis.call('HGETALL', KEYS[1])}
end
redis.call('DEL', KEYS[1])  -- its writer never came back: what it wrote is unknown
if ARGV[4] ~= '' and redis.call('SET', KEYS[3], ARGV[4], 'NX', 'PX', ARGV[5]) then return {'fill'} end
return {'busy'}
"""
)

FILL = Script.of(
    CLOCK
    + _MARKED
    + _LEASE
    + _STORE
    + """
-- ARGV: worker, lease in ms, fill token, life of the copy in ms, then fields and values
if marked > 0 or redis.call('GET', KEYS[3]) ~= ARGV[3] then return 0 end
redis.call('DEL', KEYS[1], KEYS[3])
store(5)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
lease(ARGV[1], tonumber(ARGV[2]))
return 1
"""
)

BEGIN = Script.of(
    CLOCK
    + """
-- ARGV: worker, token, life of the mark in ms, life of the copy in ms, what channels of workers begin with, message
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[2])
redis.call('PEXPIRE', KEYS[2], 2 * ARGV[3])
redis.call('DEL', KEYS[3])
if redis.call('HEXISTS', KEYS[1], '@mark') == 1 then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], '@mark', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
local others = {}
for _, worker in ipairs(redis.call('ZRANGE', KEYS[4], 0, -1)) do
  if worker ~= ARGV[1] then
    others[#others + 1] = worker
    redis.call('PUBLISH', ARGV[5] .. worker, ARGV[6])
  end
end
return others
"""
)

PUBLISH = Script.of(
    CLOCK
    + _MARKED
    + _LEASE
    + _STORE
    + """
-- ARGV: worker, lease in ms, token, base version, life of the copy in ms, number of fields to drop, these, fields and values
if redis.call('ZREM', KEYS[2], ARGV[3]) == 0 then return 'lost' end
redis.call('DEL', KEYS[4])  -- they were registered before our mark, and we have waited for them
local found = redis.call('HMGET', KEYS[1], '@version', '@mark')
if marked > 1 or found[2] ~= ARGV[3] then  -- somebody else writes, or wrote meanwhile
  redis.call('DEL', KEYS[1])
  return 'gone'
end
if found[1] == ARGV[4] then
  local drop = tonumber(ARGV[6])
  for at = 7, 6 + drop do redis.call('HDEL', KEYS[1], ARGV[at]) end
  store(7 + drop)
  redis.call('HDEL', KEYS[1], '@mark')
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
else
  redis.call('DEL', KEYS[1])
end
lease(ARGV[1], tonumber(ARGV[2]))
return 'kept'
"""
)

ABORT = Script.of("""
-- ARGV: token. What was committed under it, if anything, is not published. Gives 1 where the mark stood.
redis.call('DEL', KEYS[1])  -- also where another writer began since: it may have committed before us
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('DEL', KEYS[4])  -- they were registered before our mark, and we have waited for them
return 1
""")
