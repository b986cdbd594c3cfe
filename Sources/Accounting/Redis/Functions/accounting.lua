#!lua name=kdcube_v1
--[[
Windows and leases, decided in one call each: the Redis form of CounterMachine (Sources/Accounting/Metering/Counters), which is its
model in the differential test. Change both or neither, and raise the version in every name when the behaviour changes.

Keys, all under the hash tag {org}, so that a path lives in one slot of a cluster; every key is declared by the caller:
  {org}:w:<scope>:<unit>:<period>:<window>  hash    cap ver gen start end used held susp live; expires 7 days after its end
  {org}:lease:<id>                          hash    holder, attribution, path, held, spent, seq, last decision, expiry, phase
  {org}:leases                              zset    live leases by expiry
  {org}:ledger                              stream  the outbox: each row is added by the call that moves the amounts

Rules: integers only, none above AMOUNT_MAX, because Lua computes in doubles (exact to 2^53); time only from TIME; everything is
checked before the first write, because Redis does not undo what a failing function has written.
A reply is {word, now, ...}.
--]]

local AMOUNT_MAX = 9000000000000000
local COUNT_MAX = 4000000000000000000 -- what HINCRBY may reach: far from the end of int64
local NEVER = 253402300800000
local WINDOWS_MAX = 72
local OFFERS_MAX = 16
local WINDOW_RETENTION = 7 * 86400000
local SETTLED_RETENTION = 600000
local UNITS = { usd = 1, tokens = 2, requests = 3 }
local SPENT = { 'nano', 'in', 'cread', 'cwrite', 'out', 'think', 'req' }

local function text(number) return string.format('%.0f', number) end

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function is_amount(number) return number ~= nil and number >= 0 and number <= AMOUNT_MAX and number % 1 == 0 end

-- Arguments, read from left to right.
local function reader(args)
  local at = 0
  local self = {}
  function self.word() at = at + 1; return args[at] end
  function self.number() at = at + 1; return tonumber(args[at]) end
  return self
end

local function read_amounts(input) return { input.number(), input.number(), input.number() } end

local function are_amounts(amounts) return is_amount(amounts[1]) and is_amount(amounts[2]) and is_amount(amounts[3]) end

-- {nano, in, cread, cwrite, out, think, req, est = '0' or '1'}
local function read_spent(input)
  local spent = {}
  for i = 1, 7 do spent[i] = input.number() end
  spent.est = input.word()
  return spent
end

local function tokens_of(spent) return spent[2] + spent[3] + spent[4] + spent[5] + spent[6] end

local function amounts_of(spent) return { spent[1], tokens_of(spent), spent[7] } end

local function is_spent(spent)
  for i = 1, 7 do if not is_amount(spent[i]) then return false end end
  return tokens_of(spent) <= AMOUNT_MAX
end

local function read_offers(input)
  local offers = {}
  for i = 1, input.number() do offers[i] = { tokens = input.number(), amounts = read_amounts(input) } end
  return offers
end

local function offers_refusal(offers, spent, ttl)
  if ttl <= 0 then return 'time' end
  if #offers > OFFERS_MAX then return 'offers' end
  for i = 2, #offers do if offers[i - 1].tokens <= offers[i].tokens then return 'offers' end end
  if spent and not is_spent(spent) then return 'amount' end
  for _, offer in ipairs(offers) do
    if not are_amounts(offer.amounts) or offer.tokens <= 0 then return 'amount' end
  end
  return nil
end

-- Windows -----------------------------------------------------------------------------------------------------------

-- A window that is not loaded is false, never zero.
local function read_window(key)
  local f = redis.call('HMGET', key, 'cap', 'used', 'held', 'susp', 'end', 'ver', 'gen', 'live')
  if not f[1] then return false end
  return {
    key = key, unit = UNITS[string.match(key, ':(%a+):%a+:[^:]*$')],
    cap = tonumber(f[1]), used = tonumber(f[2]), held = tonumber(f[3]), susp = tonumber(f[4]), ends = tonumber(f[5]),
    ver = tonumber(f[6]), gen = tonumber(f[7]), live = tonumber(f[8]),
  }
end

local function read_path(keys, first)
  local path = {}
  for i = first, #keys do path[#path + 1] = read_window(keys[i]) end
  return path
end

local function move(window, field, change)
  if change == 0 then return end
  window[field] = window[field] + change
  redis.call('HINCRBY', window.key, field, text(change))
end

local function headroom(window) return window.cap - window.used - window.held - window.susp end

-- Fresh from Redis, so that numbers above 2^53 (overruns) come back exact.
local function snapshots(keys, first)
  local list = {}
  for i = first, #keys do
    local f = redis.call('HMGET', keys[i], 'cap', 'used', 'held', 'susp', 'end')
    list[#list + 1] = f[1] and f or false
  end
  return list
end

local function raise_cap(window, cap, version)
  if version <= window.ver then return end
  window.cap, window.ver = cap, version
  redis.call('HSET', window.key, 'cap', text(cap), 'ver', text(version))
end

-- Choosing an offer (CounterMachine.choose) ---------------------------------------------------------------------------

local function fits(offer, fixed, window, floor, new)
  if not window then return true end
  local amount = offer.amounts[window.unit]
  if amount + fixed[window.unit] <= 0 then return true end
  local available = headroom(window) - fixed[window.unit]
  if amount > available then return false end
  -- amount <= available / (2 * leases), without a division: a product above 2^53 is above every cap all the same.
  return offer.tokens <= floor or amount * 2 * math.max(1, window.live + new) <= available
end

local function fits_all(offer, fixed, path, floor, new)
  for _, window in ipairs(path) do if not fits(offer, fixed, window, floor, new) then return false end end
  return true
end

-- The number of the offer, or nil and the number of the window that stays shut longest.
local function choose(offers, fixed, path, floor, new)
  for i, offer in ipairs(offers) do if fits_all(offer, fixed, path, floor, new) then return i end end
  local smallest, shut = offers[#offers], nil
  for i, window in ipairs(path) do
    if window then
      local amount = smallest.amounts[window.unit] + fixed[window.unit]
      if amount > 0 and amount > headroom(window) and (not shut or path[shut].ends < window.ends) then shut = i end
    end
  end
  if shut then return nil, shut end
  return #offers
end

-- Leases --------------------------------------------------------------------------------------------------------------

local LEASE_FIELDS = {
  'node', 'fence', 'seq', 'phase', 'dec', 'exp', 'span', 'path', 'h1', 'h2', 'h3', 'nano', 'in', 'cread', 'cwrite', 'out', 'think',
  'req', 'est', 'project', 'user', 'apikey', 'run', 'model', 'price',
}

local function read_lease(key)
  local values = redis.call('HMGET', key, unpack(LEASE_FIELDS))
  if not values[1] then return nil end
  local f = {}
  for i, name in ipairs(LEASE_FIELDS) do f[name] = values[i] end
  local spent = { est = f.est }
  for i, name in ipairs(SPENT) do spent[i] = tonumber(f[name]) end
  return {
    key = key, id = string.match(key, '^{[^}]*}:lease:(.*)$'), node = f.node, fence = f.fence, seq = tonumber(f.seq), phase = f.phase,
    dec = f.dec, exp = tonumber(f.exp), span = tonumber(f.span), path = f.path, spent = spent,
    held = { tonumber(f.h1), tonumber(f.h2), tonumber(f.h3) }, fields = f,
  }
end

local function write_lease(lease)
  local spent = lease.spent
  redis.call('HSET', lease.key, 'node', lease.node, 'fence', lease.fence, 'seq', text(lease.seq), 'phase', lease.phase, 'dec', lease.dec,
    'exp', text(lease.exp), 'h1', text(lease.held[1]), 'h2', text(lease.held[2]), 'h3', text(lease.held[3]), 'nano', text(spent[1]),
    'in', text(spent[2]), 'cread', text(spent[3]), 'cwrite', text(spent[4]), 'out', text(spent[5]), 'think', text(spent[6]),
    'req', text(spent[7]), 'est', spent.est)
end

-- The windows that the caller declared, as the lease keeps them: what follows "{org}:w:", parted by spaces (no name holds one).
local function path_text(keys, first)
  local names = {}
  for i = first, #keys do names[#names + 1] = string.match(keys[i], '^{[^}]*}:w:(.*)$') end
  return table.concat(names, ' ')
end

-- The answer that belongs to a lease's last decision; the windows are as they are now.
local function reply(decision, now, keys, first)
  local kind, rest = string.sub(decision, 1, 1), string.sub(decision, 2)
  if kind == 'r' then return { 'rolled', now } end
  local windows = snapshots(keys, first)
  if kind == 'g' then return { 'granted', now, tonumber(rest) - 1, windows } end
  if kind == 'd' then return { 'denied', now, tonumber(rest) - 1, windows } end
  if kind == 'c' then return { 'committed', now, 0, windows } end
  return { 'settled', now, rest, windows }
end

-- Returns an answer, or nil when the command is to be carried out.
local function admit(lease, node, fence, seq, now, keys)
  local same = node == lease.node and fence == lease.fence
  if not same and tonumber(fence) <= tonumber(lease.fence) then return { 'fence', now } end
  if seq == lease.seq then
    if lease.phase == 'suspended' then return { 'suspended', now } end
    return reply(lease.dec, now, keys, 4)
  end
  if seq < lease.seq then return { 'sequence', now } end
  if lease.phase == 'settled' then return { 'unknown', now } end
  return nil
end

local function add_row(ledger, lease, kind, nano, usage, requests, estimated, now)
  local f = lease.fields
  redis.call('XADD', ledger, '*', 'id', lease.id .. ':' .. text(lease.seq) .. ':' .. kind, 'kind', kind, 'lease', lease.id,
    'project', f.project, 'user', f.user, 'key', f.apikey, 'run', f.run, 'model', f.model, 'price', f.price, 'nano', text(nano),
    'in', text(usage[1]), 'cread', text(usage[2]), 'cwrite', text(usage[3]), 'out', text(usage[4]), 'think', text(usage[5]),
    'req', text(requests), 'est', estimated, 'at', text(math.min(now, lease.span - 1)))
end

local function same_spent(left, right)
  for i = 1, 7 do if left[i] ~= right[i] then return false end end
  return left.est == right.est
end

-- Whether `used` of each window stays a number that can be counted; asked before anything is written.
local function can_commit(lease, spent, path)
  local before, after = amounts_of(lease.spent), amounts_of(spent)
  for _, window in ipairs(path) do
    if window and window.used + after[window.unit] - before[window.unit] > COUNT_MAX then return false end
  end
  return true
end

-- Moves the difference to what the lease has committed into `used`: from what is held first, the rest is an overrun, returned.
local function commit(ledger, lease, spent, kind, path, now)
  local overrun = { 0, 0, 0 }
  if same_spent(spent, lease.spent) then return overrun end
  local before, after, change, from = amounts_of(lease.spent), amounts_of(spent), {}, {}
  for u = 1, 3 do
    change[u] = after[u] - before[u]
    from[u] = math.min(math.max(change[u], 0), lease.held[u])
    overrun[u] = math.max(change[u] - from[u], 0)
  end
  local pocket = lease.phase == 'live' and 'held' or 'susp'
  for _, window in ipairs(path) do
    if window then
      move(window, 'used', change[window.unit])
      move(window, pocket, -from[window.unit])
    end
  end
  local usage = {}
  for i = 2, 6 do usage[i - 1] = spent[i] - lease.spent[i] end
  add_row(ledger, lease, kind, change[1], usage, change[3], spent.est, now)
  if overrun[1] + overrun[2] + overrun[3] > 0 then
    add_row(ledger, lease, 'overrun', overrun[1], { 0, 0, 0, overrun[2], 0 }, overrun[3], spent.est, now)
  end
  for u = 1, 3 do lease.held[u] = lease.held[u] - from[u] end
  lease.spent = spent
  return overrun
end

-- Trues a live or suspended lease up to `spent`, frees the rest, and forgets the lease after a while.
local function finish(keys, lease, spent, path, now)
  local live = lease.phase == 'live'
  local overrun = commit(keys[1], lease, spent, live and 'settle' or 'resolve', path, now)
  for _, window in ipairs(path) do
    if window then
      move(window, live and 'held' or 'susp', -lease.held[window.unit])
      if live then move(window, 'live', -1) end
    end
  end
  lease.held = { 0, 0, 0 }
  lease.phase = 'settled'
  lease.dec = 's' .. text(overrun[1]) .. ',' .. text(overrun[2]) .. ',' .. text(overrun[3])
  lease.exp = now
  write_lease(lease)
  redis.call('ZREM', keys[2], lease.id)
  redis.call('PEXPIRE', lease.key, text(SETTLED_RETENTION))
  return reply(lease.dec, now, keys, 4)
end

-- Functions -------------------------------------------------------------------------------------------------------------

local function open_refusal(open, keys)
  if #open.offers == 0 then return 'offers' end
  local seen = {}
  if #keys - 3 > WINDOWS_MAX then return 'path' end
  for i = 4, #keys do
    if seen[keys[i]] then return 'path' end
    seen[keys[i]] = true
  end
  if not are_amounts(open.fixed) then return 'amount' end
  for _, ref in ipairs(open.refs) do if not is_amount(ref.cap) then return 'amount' end end
  return offers_refusal(open.offers, nil, open.ttl)
end

local function read_open(keys, args)
  local input = reader(args)
  local open = {
    node = input.word(), fence = input.word(), project = input.word(), user = input.word(), apikey = input.word(), run = input.word(),
    model = input.word(), price = input.word(), ttl = input.number(), floor = input.number(), fixed = read_amounts(input),
    offers = read_offers(input), refs = {},
  }
  for i = 4, #keys do
    open.refs[i - 3] = {
      cap = input.number(), ver = input.number(), gen = input.number(), starts = input.number(), ends = input.number(),
    }
  end
  return open
end

local function grant_open(keys, open, path, index, now)
  local held, span = {}, NEVER
  for u = 1, 3 do held[u] = open.fixed[u] + open.offers[index].amounts[u] end
  for i, window in ipairs(path) do
    move(window, 'held', held[window.unit])
    move(window, 'live', 1)
    span = math.min(span, open.refs[i].ends)
  end
  local lease = {
    key = keys[3], node = open.node, fence = open.fence, seq = 0, phase = 'live', dec = 'g' .. text(index), exp = now + open.ttl,
    held = held, spent = { 0, 0, 0, 0, 0, 0, 0, est = '0' },
  }
  redis.call('HSET', keys[3], 'project', open.project, 'user', open.user, 'apikey', open.apikey, 'run', open.run, 'model', open.model,
    'price', open.price, 'path', path_text(keys, 4), 'span', text(span))
  write_lease(lease)
  redis.call('ZADD', keys[2], text(lease.exp), string.match(keys[3], '^{[^}]*}:lease:(.*)$'))
  return reply(lease.dec, now, keys, 4)
end

-- KEYS: ledger, leases, lease, windows
local function open_lease(keys, args)
  local now, open = now_ms(), read_open(keys, args)
  local refusal = open_refusal(open, keys)
  if refusal then return { 'refused', now, refusal } end
  local lease = read_lease(keys[3])
  if lease then
    if lease.node ~= open.node or lease.fence ~= open.fence then return { 'fence', now } end
    if lease.seq ~= 0 or lease.phase ~= 'live' then return { 'sequence', now } end
    if lease.path ~= path_text(keys, 4) then return { 'path', now, lease.path } end
    return reply(lease.dec, now, keys, 4)
  end
  for _, ref in ipairs(open.refs) do
    if now < ref.starts or now >= ref.ends then return { 'rolled', now } end
  end
  local path, missing = read_path(keys, 4), {}
  for i, window in ipairs(path) do
    if not window or window.gen < open.refs[i].gen then missing[#missing + 1] = i - 1 end
  end
  if #missing > 0 then return { 'missing', now, missing } end
  for i, window in ipairs(path) do raise_cap(window, open.refs[i].cap, open.refs[i].ver) end
  local index, shut = choose(open.offers, open.fixed, path, open.floor, 1)
  if not index then return reply('d' .. text(shut), now, keys, 4) end
  return grant_open(keys, open, path, index, now)
end

-- A lease whose window was deleted behind our back gets no more: a missing counter is never zero.
local function refill(lease, offers, floor, path, now)
  if now >= lease.span then return 'r' end
  if #offers == 0 then return 'c' end
  for _, window in ipairs(path) do if not window then return 'r' end end
  local index, shut = choose(offers, { 0, 0, 0 }, path, floor, 0)
  if not index then return 'd' .. text(shut) end
  local amounts = offers[index].amounts
  for _, window in ipairs(path) do move(window, 'held', amounts[window.unit]) end
  for u = 1, 3 do lease.held[u] = lease.held[u] + amounts[u] end
  return 'g' .. text(index)
end

-- KEYS: ledger, leases, lease, windows
local function step_lease(keys, args)
  local now, input = now_ms(), reader(args)
  local node, fence, seq, ttl, floor = input.word(), input.word(), input.number(), input.number(), input.number()
  local spent, offers = read_spent(input), read_offers(input)
  local refusal = offers_refusal(offers, spent, ttl)
  if refusal then return { 'refused', now, refusal } end
  local lease = read_lease(keys[3])
  if not lease then return { 'unknown', now } end
  if lease.path ~= path_text(keys, 4) then return { 'path', now, lease.path } end
  local answer = admit(lease, node, fence, seq, now, keys)
  if answer then return answer end
  if lease.phase ~= 'live' then return { 'suspended', now } end
  for i = 1, 7 do if spent[i] < lease.spent[i] then return { 'refused', now, 'spent_shrank' } end end
  local path = read_path(keys, 4)
  if not can_commit(lease, spent, path) then return { 'refused', now, 'amount' } end
  lease.node, lease.fence, lease.seq = node, fence, seq
  commit(keys[1], lease, spent, 'commit', path, now)
  lease.exp = math.max(lease.exp, now + ttl)
  lease.dec = refill(lease, offers, floor, path, now)
  write_lease(lease)
  redis.call('ZADD', keys[2], text(lease.exp), lease.id)
  return reply(lease.dec, now, keys, 4)
end

-- KEYS: ledger, leases, lease, windows
local function settle_lease(keys, args)
  local now, input = now_ms(), reader(args)
  local node, fence, seq, spent = input.word(), input.word(), input.number(), read_spent(input)
  if not is_spent(spent) then return { 'refused', now, 'amount' } end
  local lease = read_lease(keys[3])
  if not lease then return { 'unknown', now } end
  if lease.path ~= path_text(keys, 4) then return { 'path', now, lease.path } end
  local answer = admit(lease, node, fence, seq, now, keys)
  if answer then return answer end
  local path = read_path(keys, 4)
  if not can_commit(lease, spent, path) then return { 'refused', now, 'amount' } end
  lease.node, lease.fence, lease.seq = node, fence, seq
  return finish(keys, lease, spent, path, now)
end

-- KEYS: ledger, leases, lease, windows
local function resolve_lease(keys, args)
  local now, spent = now_ms(), read_spent(reader(args))
  if not is_spent(spent) then return { 'refused', now, 'amount' } end
  local lease = read_lease(keys[3])
  if not lease then return { 'unknown', now } end
  if lease.path ~= path_text(keys, 4) then return { 'path', now, lease.path } end
  if lease.phase == 'settled' then return reply(lease.dec, now, keys, 4) end
  if lease.phase == 'live' then return { 'sequence', now } end
  local path = read_path(keys, 4)
  if not can_commit(lease, spent, path) then return { 'refused', now, 'amount' } end
  lease.seq = lease.seq + 1
  return finish(keys, lease, spent, path, now)
end

-- KEYS: leases. Which leases ended `grace` ago, at most `limit`.
local function due_leases(keys, args)
  local now, grace = now_ms(), tonumber(args[1])
  if grace < 0 then return { 'refused', now, 'time' } end
  return { 'due', now, redis.call('ZRANGEBYSCORE', keys[1], '-inf', text(now - grace), 'LIMIT', 0, args[2]) }
end

-- KEYS: ledger, leases, lease, windows. Moves what a lease holds into suspense if it still is due; frees nothing.
local function reap_lease(keys, args)
  local now, grace = now_ms(), tonumber(args[1])
  local lease = read_lease(keys[3])
  if not lease then
    redis.call('ZREM', keys[2], string.match(keys[3], '^{[^}]*}:lease:(.*)$'))
    return { 'reaped', now, 0 }
  end
  if lease.path ~= path_text(keys, 4) then return { 'path', now, lease.path } end
  if lease.phase ~= 'live' or lease.exp + grace > now then return { 'reaped', now, 0 } end
  for _, window in ipairs(read_path(keys, 4)) do
    if window then
      move(window, 'held', -lease.held[window.unit])
      move(window, 'susp', lease.held[window.unit])
      move(window, 'live', -1)
    end
  end
  lease.phase = 'suspended'
  add_row(keys[1], lease, 'suspense', lease.held[1], { 0, 0, 0, lease.held[2], 0 }, lease.held[3], '1', now)
  write_lease(lease)
  redis.call('ZREM', keys[2], lease.id)
  return { 'reaped', now, 1 }
end

-- KEYS: window. A window that is there in this generation stays as it is.
local function load_window(keys, args)
  local now, input = now_ms(), reader(args)
  local cap, ver, gen, starts, ends, used = input.number(), input.number(), input.number(), input.number(), input.number(), input.number()
  if not is_amount(cap) or used > AMOUNT_MAX then return { 'refused', now, 'amount' } end
  local found = read_window(keys[1])
  if found and gen <= found.gen then return { 'done', now } end
  redis.call('HSET', keys[1], 'cap', text(cap), 'ver', text(ver), 'gen', text(gen), 'start', text(starts), 'end', text(ends),
    'used', text(used))
  if not found then redis.call('HSET', keys[1], 'held', '0', 'susp', '0', 'live', '0') end
  if ends < NEVER then redis.call('PEXPIREAT', keys[1], text(ends + WINDOW_RETENTION)) end
  return { 'done', now }
end

-- KEYS: window
local function set_cap(keys, args)
  local now, cap, version = now_ms(), tonumber(args[1]), tonumber(args[2])
  if not is_amount(cap) then return { 'refused', now, 'amount' } end
  local window = read_window(keys[1])
  if window then raise_cap(window, cap, version) end
  return { 'done', now }
end

-- KEYS: windows
local function read_windows(keys) return { 'windows', now_ms(), 0, snapshots(keys, 1) } end

redis.register_function('kdcube_open_v1', open_lease)
redis.register_function('kdcube_step_v1', step_lease)
redis.register_function('kdcube_settle_v1', settle_lease)
redis.register_function('kdcube_resolve_v1', resolve_lease)
redis.register_function('kdcube_reap_v1', reap_lease)
redis.register_function('kdcube_load_v1', load_window)
redis.register_function('kdcube_set_cap_v1', set_cap)
redis.register_function { function_name = 'kdcube_due_v1', callback = due_leases, flags = { 'no-writes' } }
redis.register_function { function_name = 'kdcube_read_v1', callback = read_windows, flags = { 'no-writes' } }
