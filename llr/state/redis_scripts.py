"""The two Lua scripts of the Redis store: reading and applying, each atomic on the server.

Law: the same arithmetic as `memory` and `records`, in whole milliseconds (Redis' JSON keeps 14 digits). Expiry is
judged by the caller's `now`; the server's own clock only sweeps what nobody asks for any more.

Keys, all behind one prefix with a hash tag, so that a cluster keeps them on one node: `c:` cursor (text), `u:` usage
(hash n, e), `h:` health (hash d, e), `l:` leases (sorted set holder -> end), `p:` pin (hash c, e), `pins` (sorted set).
"""

READ = """
local P, now, ask = KEYS[1], tonumber(ARGV[1]), cjson.decode(ARGV[2])
local out = {c = {}, u = {}, h = {}, p = {}, l = {}}
for i, key in ipairs(ask.c) do out.c[i] = redis.call('GET', P .. 'c:' .. key) end
for i, key in ipairs(ask.u) do
  local found = redis.call('HMGET', P .. 'u:' .. key, 'n', 'e')
  local till = tonumber(found[2] or 0)
  out.u[i] = (found[1] and not (till > 0 and till <= now)) and tonumber(found[1]) or 0
end
for i, key in ipairs(ask.h) do
  local found = redis.call('HMGET', P .. 'h:' .. key, 'd', 'e')
  out.h[i] = (found[1] and tonumber(found[2]) > now) and found[1] or false
end
for i, key in ipairs(ask.p) do
  local found = redis.call('HMGET', P .. 'p:' .. key, 'c', 'e')
  out.p[i] = (found[1] and tonumber(found[2]) > now) and {found[1], tonumber(found[2])} or false
end
for i, slot in ipairs(ask.l) do out.l[i] = redis.call('ZCOUNT', P .. 'l:' .. slot, '(' .. ARGV[1], '+inf') end
return cjson.encode(out)
"""

APPLY = """
local P, now, ops = KEYS[1], tonumber(ARGV[1]), cjson.decode(ARGV[2])
local ttl, max_pins = tonumber(ARGV[3]), tonumber(ARGV[4])
local DAY = 86400000

local function count(key)
  local found = redis.call('HMGET', P .. 'u:' .. key, 'n', 'e')
  local till = tonumber(found[2] or 0)
  if not found[1] or (till > 0 and till <= now) then return nil, 0 end
  return tonumber(found[1]), till
end

local function record(key)
  local found = redis.call('HMGET', P .. 'h:' .. key, 'd', 'e')
  if not found[1] or tonumber(found[2]) <= now then return nil end
  local doc = cjson.decode(found[1])
  doc.llr = doc.llr or {}
  return doc
end

local function sweep(key, till)
  redis.call('PEXPIRE', key, string.format('%d', math.max(1, till - now)))
end

local function put(key, doc)
  local latest = 0
  for _, till in pairs(doc.llr.cooldowns) do latest = math.max(latest, till) end
  doc.cooldownUntil = latest
  local till = doc.expiresAt or 0
  if till <= 0 then till = math.max(doc.updatedAt or 0, doc.openUntil or 0, latest) + ttl end
  redis.call('HSET', P .. 'h:' .. key, 'd', cjson.encode(doc), 'e', string.format('%d', till))
  sweep(P .. 'h:' .. key, till)
end

local function add(key, amount, till)
  local had, ends = count(key)
  if not had then
    if amount <= 0 or (till > 0 and till <= now) then return end
    had = 0
  elseif till == 0 then till = ends end
  local n = math.max(0, had + amount)
  redis.call('HSET', P .. 'u:' .. key, 'n', string.format('%d', n), 'e', string.format('%d', till))
  if till > 0 then sweep(P .. 'u:' .. key, till) end
end

local grants, do_op, added = {}, {}, {}

grants.reserve = function(op)
  local before = added['u' .. op.key] or 0
  if (count(op.key) or 0) + before + op.amount > op.limit then return false end
  added['u' .. op.key] = before + op.amount
  return true
end
grants.lease = function(op)
  local key = P .. 'l:' .. op.key
  redis.call('ZREMRANGEBYSCORE', key, '-inf', ARGV[1])
  if redis.call('ZSCORE', key, op.holder) then return true end
  local before = added['l' .. op.key] or 0
  if redis.call('ZCARD', key) + before >= op.limit then return false end
  added['l' .. op.key] = before + 1
  return true
end
grants.probe = function(op)
  if op.till <= 0 then return true end
  local doc = record(op.key)
  if added['h' .. op.key] or (doc and (doc.llr.probingUntil or 0) > now) then return false end
  added['h' .. op.key] = 1
  return true
end

do_op.cursor = function(op) redis.call('SET', P .. 'c:' .. op.key, string.format('%d', op.value), 'PX', 30 * DAY) end
do_op.reserve = function(op) add(op.key, op.amount, op.till) end
do_op.release = function(op) add(op.key, -op.amount, 0) end
do_op.settle = function(op) add(op.key, op.actual - op.reserved, op.till) end
do_op.lease = function(op)
  local key = P .. 'l:' .. op.key
  redis.call('ZADD', key, string.format('%d', op.till), op.holder)
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
  sweep(key, tonumber(last[2]))
end
do_op.unlease = function(op) redis.call('ZREM', P .. 'l:' .. op.key, op.holder) end
do_op.evict = function(op)
  local key = P .. 'l:' .. op.key
  for _, holder in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    if string.sub(holder, 1, #op.holders) == op.holders then redis.call('ZREM', key, holder) end
  end
end
do_op.recover = function(op)
  local doc = op.started > 0 and record(op.key)
  if not (doc and op.started < (doc.lastFailureAt or 0)) then redis.call('DEL', P .. 'h:' .. op.key) end
end
do_op.clear = function(op)
  local doc = record(op.key)
  if doc and op.reason ~= '' then
    local rest, left = {}, false
    for reason, till in pairs(doc.llr.cooldowns or {}) do
      if reason ~= op.reason then rest[reason] = till; left = true end
    end
    if left or (doc.consecutiveRetryableFailures or 0) > 0 or (doc.openUntil or 0) > now then
      doc.llr.cooldowns = rest
      doc.updatedAt = now
      return put(op.key, doc)
    end
  end
  redis.call('DEL', P .. 'h:' .. op.key)
end
do_op.probe = function(op)
  local doc = record(op.key)
  if doc then
    doc.llr.probingUntil = op.till
    put(op.key, doc)
  end
end
do_op.fail = function(op)
  local doc = record(op.key)
  local about = doc and doc.llr.credential or ''
  if not doc or (about ~= '' and op.credential ~= '' and about ~= op.credential) then
    doc = {expiresAt = 0, llr = {}}
  end
  local own = doc.llr
  local fresh = op.counts and op.started >= (own.countedAt or 0)
  local failures = 0
  if op.counts then failures = (doc.consecutiveRetryableFailures or 0) + (fresh and 1 or 0) end
  local open = (doc.openUntil or 0) > now and doc.openUntil or 0
  if fresh and op.threshold > 0 and failures >= op.threshold and op.open > 0 then
    open = math.max(open, now + math.min(op.open, DAY))
  end
  local kept = {}
  for reason, till in pairs(own.cooldowns or {}) do
    if till > now then kept[reason] = till end
  end
  local till = math.min(op.till, now + DAY)
  if till > now then
    local reason = op.reason ~= '' and op.reason or op.category
    kept[reason] = math.max(kept[reason] or 0, till)
  end
  doc.consecutiveRetryableFailures, doc.openUntil = failures, open
  doc.lastFailureAt, doc.lastFailureStatus, doc.lastFailureCategory, doc.updatedAt = now, op.status, op.category, now
  own.cooldowns, own.probingUntil = kept, 0
  if fresh then own.countedAt = now end
  if op.credential ~= '' then own.credential = op.credential end
  put(op.key, doc)
end
do_op.pin = function(op)
  local key = P .. 'p:' .. op.key
  if op.candidate == '' or op.till <= now then
    redis.call('DEL', key)
    redis.call('ZREM', P .. 'pins', op.key)
    return
  end
  redis.call('HSET', key, 'c', op.candidate, 'e', string.format('%d', op.till))
  sweep(key, op.till)
  redis.call('ZADD', P .. 'pins', string.format('%d', op.till), op.key)
  redis.call('ZREMRANGEBYSCORE', P .. 'pins', '-inf', ARGV[1])
  local spare = redis.call('ZCARD', P .. 'pins') - max_pins
  if spare > 0 then
    for _, old in ipairs(redis.call('ZRANGE', P .. 'pins', 0, spare - 1)) do redis.call('DEL', P .. 'p:' .. old) end
    redis.call('ZREMRANGEBYRANK', P .. 'pins', 0, spare - 1)
  end
end

local out, refused = {}, false
for i, op in ipairs(ops) do
  local grant = grants[op.op]
  out[i] = (not grant or grant(op)) and '1' or '0'
  refused = refused or out[i] == '0'
end
if not refused then
  for _, op in ipairs(ops) do do_op[op.op](op) end
end
return table.concat(out)
"""
