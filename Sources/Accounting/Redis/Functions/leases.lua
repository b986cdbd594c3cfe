
-- Leases: reading, writing, committing, finishing. Follows accounting.lua in the same library.

local LEASE_FIELDS = {
  'node', 'fence', 'seq', 'phase', 'dec', 'exp', 'span', 'path', 'held', 'nano', 'in', 'cread', 'cwrite', 'out', 'think',
  'req', 'calls', 'est', 'project', 'user', 'apikey', 'run', 'model', 'price', 'ep', 'known',
}

local function read_lease(key)
  local values = redis.call('HMGET', key, unpack(LEASE_FIELDS))
  if not values[1] then return nil end
  local f = {}
  for i, name in ipairs(LEASE_FIELDS) do f[name] = values[i] end
  if f.ep ~= epoch then return nil end
  local spent = { est = f.est }
  for i, name in ipairs(SPENT) do spent[i] = tonumber(f[name] or '0') end
  return {
    key = key, id = string.match(key, '^{[^}]*}:lease:(.*)$'), node = f.node, fence = f.fence, seq = tonumber(f.seq), phase = f.phase,
    dec = f.dec, exp = tonumber(f.exp), span = tonumber(f.span), path = f.path, spent = spent,
    held = amounts_from(f.held), known = tonumber(f.known or '0'), fields = f,
  }
end

local function write_lease(lease)
  local spent = lease.spent
  redis.call('HSET', lease.key, 'node', lease.node, 'fence', lease.fence, 'seq', text(lease.seq), 'phase', lease.phase, 'dec', lease.dec,
    'exp', text(lease.exp), 'held', amounts_text(lease.held), 'nano', text(spent[1]),
    'in', text(spent[2]), 'cread', text(spent[3]), 'cwrite', text(spent[4]), 'out', text(spent[5]), 'think', text(spent[6]),
    'req', text(spent[7]), 'calls', text(spent[8]), 'est', spent.est, 'ep', epoch)
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

local function add_row(ledger, lease, kind, nano, usage, requests, calls, estimated, now)
  local f = lease.fields
  redis.call('XADD', ledger, '*', 'id', lease.id .. ':' .. text(lease.seq) .. ':' .. kind, 'kind', kind, 'lease', lease.id,
    'project', f.project, 'user', f.user, 'key', f.apikey, 'run', f.run, 'model', f.model, 'price', f.price, 'nano', text(nano),
    'in', text(usage[1]), 'cread', text(usage[2]), 'cwrite', text(usage[3]), 'out', text(usage[4]), 'think', text(usage[5]),
    'req', text(requests), 'calls', text(calls), 'est', estimated, 'ep', epoch, 'at', text(math.min(now, lease.span - 1)))
end

local function same_spent(left, right)
  for i = 1, #SPENT do if left[i] ~= right[i] then return false end end
  return left.est == right.est
end

-- Nothing was asked of these windows, so they may come to be above their caps; then nothing more is granted there.
local function count_late(late, change)
  for _, window in ipairs(late) do if window then move(window, 'used', change[window.unit]) end end
  for _, place in ipairs(late.pending or {}) do redis.call('HINCRBY', marker, 'm:' .. place, 1) end
end

-- Whether `used` of each window stays a number that can be counted; asked before anything is written.
local function can_commit(lease, spent, path, late)
  local before, after = amounts_of(lease.spent), amounts_of(spent)
  for _, windows in ipairs({ path, late }) do
    for _, window in ipairs(windows) do
      if window and window.used + after[window.unit] - before[window.unit] > COUNT_MAX then return false end
    end
  end
  return true
end

-- Moves the difference to what the lease has committed into `used`: from what is held first, the rest is an overrun, returned.
local function commit(ledger, lease, spent, kind, path, late, now)
  local overrun = { 0, 0, 0, 0, 0, 0, 0 }
  if same_spent(spent, lease.spent) then return overrun end
  local before, after, change, from = amounts_of(lease.spent), amounts_of(spent), {}, {}
  for u = 1, UNIT_COUNT do
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
  count_late(late, change)
  local usage = {}
  for i = 2, 6 do usage[i - 1] = spent[i] - lease.spent[i] end
  add_row(ledger, lease, kind, change[1], usage, change[3], change[7], spent.est, now)
  if overrun[1] + overrun[2] + overrun[3] + overrun[7] > 0 then
    add_row(ledger, lease, 'overrun', overrun[1], { 0, 0, 0, overrun[2], 0 }, overrun[3], overrun[7], spent.est, now)
  end
  for u = 1, UNIT_COUNT do lease.held[u] = lease.held[u] - from[u] end
  lease.spent = spent
  return overrun
end

-- Trues a live or suspended lease up to `spent`, frees the rest, and forgets the lease after a while.
local function finish(keys, lease, spent, path, late, now)
  local live = lease.phase == 'live'
  local overrun = commit(keys[1], lease, spent, live and 'settle' or 'resolve', path, late, now)
  for _, window in ipairs(path) do
    if window then
      move(window, live and 'held' or 'susp', -lease.held[window.unit])
      if live then move(window, 'live', -1) end
    end
  end
  lease.held = { 0, 0, 0, 0, 0, 0, 0 }
  lease.phase = 'settled'
  lease.dec = 's' .. amounts_text(overrun)
  lease.exp = now
  write_lease(lease)
  redis.call('ZREM', keys[2], lease.id)
  redis.call('PEXPIRE', lease.key, text(SETTLED_RETENTION))
  return reply(lease.dec, now, keys, 4)
end
