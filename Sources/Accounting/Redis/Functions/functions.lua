
-- What may be called. Follows late.lua in the same library; each function says which keys it must be given.

local function path_refusal(keys)
  local seen = {}
  if #keys - 3 > WINDOWS_MAX then return 'path' end
  for i = 4, #keys do
    if seen[keys[i]] then return 'path' end
    seen[keys[i]] = true
  end
  return nil
end

local function open_refusal(open, keys)
  if #open.offers == 0 then return 'offers' end
  local refusal = path_refusal(keys)
  if refusal then return refusal end
  if not are_amounts(open.fixed) then return 'amount' end
  for _, ref in ipairs(open.refs) do if not is_amount(ref.cap) then return 'amount' end end
  return offers_refusal(open.offers, nil, open.ttl)
end

local function read_open(keys, args)
  local input = reader(args)
  local open = {
    node = input.word(), fence = input.word(), project = input.word(), user = input.word(), apikey = input.word(), run = input.word(),
    model = input.word(), price = input.word(), ttl = input.number(), floor = input.number(),
    continues = input.word() == '1', known = input.word(), fixed = read_amounts(input),
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
  for u = 1, UNIT_COUNT do held[u] = open.fixed[u] + open.offers[index].amounts[u] end
  for i, window in ipairs(path) do
    move(window, 'held', held[window.unit])
    move(window, 'live', 1)
    span = math.min(span, open.refs[i].ends)
  end
  local lease = {
    key = keys[3], node = open.node, fence = open.fence, seq = 0, phase = 'live', dec = 'g' .. text(index), exp = now + open.ttl,
    held = held, spent = { 0, 0, 0, 0, 0, 0, 0, 0, est = '0' },
  }
  redis.call('HSET', keys[3], 'project', open.project, 'user', open.user, 'apikey', open.apikey, 'run', open.run, 'model', open.model,
    'price', open.price, 'path', path_text(keys, 4), 'span', text(span), 'known', open.known)
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
  local asked = { unpack(open.fixed) }
  -- The run lives already: its place is taken whether or not one is free.
  if open.continues then asked[RUNS] = 0 end
  local index, shut = choose(open.offers, asked, path, open.floor, 1)
  if not index then return reply('d' .. text(shut), now, keys, 4) end
  return grant_open(keys, open, path, index, now)
end

-- A lease whose window was deleted behind our back gets no more: a missing counter is never zero.
local function refill(lease, offers, floor, path, now)
  if now >= lease.span then return 'r' end
  if #offers == 0 then return 'c' end
  for _, window in ipairs(path) do if not window then return 'r' end end
  local index, shut = choose(offers, { 0, 0, 0, 0, 0, 0, 0 }, path, floor, 0)
  if not index then return 'd' .. text(shut) end
  local amounts = offers[index].amounts
  for _, window in ipairs(path) do move(window, 'held', amounts[window.unit]) end
  for u = 1, UNIT_COUNT do lease.held[u] = lease.held[u] + amounts[u] end
  return 'g' .. text(index)
end

-- KEYS: ledger, leases, lease, windows, late windows
local function step_lease(keys, args)
  local now, input = now_ms(), reader(args)
  local node, fence, seq, ttl, floor = input.word(), input.word(), input.number(), input.number(), input.number()
  local spent, offers = read_spent(input), read_offers(input)
  local declared = take_late(keys, input.word())
  local refusal = offers_refusal(offers, spent, ttl)
  if refusal then return { 'refused', now, refusal } end
  local lease = read_lease(keys[3])
  if not lease then return { 'unknown', now } end
  if lease.path ~= path_text(keys, 4) then return { 'path', now, lease.path } end
  local answer = admit(lease, node, fence, seq, now, keys)
  if answer then return answer end
  if lease.phase ~= 'live' then return { 'suspended', now } end
  for i = 1, #SPENT do if spent[i] < lease.spent[i] then return { 'refused', now, 'spent_shrank' } end end
  local late, undeclared = read_late(lease, spent, declared, now)
  if not late then return undeclared end
  local path = read_path(keys, 4)
  if not can_commit(lease, spent, path, late) then return { 'refused', now, 'amount' } end
  lease.node, lease.fence, lease.seq = node, fence, seq
  commit(keys[1], lease, spent, 'commit', path, late, now)
  lease.exp = math.max(lease.exp, now + ttl)
  lease.dec = refill(lease, offers, floor, path, now)
  write_lease(lease)
  redis.call('ZADD', keys[2], text(lease.exp), lease.id)
  return reply(lease.dec, now, keys, 4)
end

-- KEYS: ledger, leases, lease, windows, late windows
local function settle_lease(keys, args)
  local now, input = now_ms(), reader(args)
  local node, fence, seq, spent = input.word(), input.word(), input.number(), read_spent(input)
  local declared = take_late(keys, input.word())
  if not is_spent(spent) then return { 'refused', now, 'amount' } end
  local lease = read_lease(keys[3])
  if not lease then return { 'unknown', now } end
  if lease.path ~= path_text(keys, 4) then return { 'path', now, lease.path } end
  local answer = admit(lease, node, fence, seq, now, keys)
  if answer then return answer end
  local late, undeclared = read_late(lease, spent, declared, now)
  if not late then return undeclared end
  local path = read_path(keys, 4)
  if not can_commit(lease, spent, path, late) then return { 'refused', now, 'amount' } end
  lease.node, lease.fence, lease.seq = node, fence, seq
  return finish(keys, lease, spent, path, late, now)
end

-- KEYS: ledger, leases, lease, windows, late windows
local function resolve_lease(keys, args)
  local now, input = now_ms(), reader(args)
  local spent, declared = read_spent(input), take_late(keys, input.word())
  if not is_spent(spent) then return { 'refused', now, 'amount' } end
  local lease = read_lease(keys[3])
  if not lease then return { 'unknown', now } end
  if lease.path ~= path_text(keys, 4) then return { 'path', now, lease.path } end
  if lease.phase == 'settled' then return reply(lease.dec, now, keys, 4) end
  if lease.phase == 'live' then return { 'sequence', now } end
  local late, undeclared = read_late(lease, spent, declared, now)
  if not late then return undeclared end
  local path = read_path(keys, 4)
  if not can_commit(lease, spent, path, late) then return { 'refused', now, 'amount' } end
  lease.seq = lease.seq + 1
  return finish(keys, lease, spent, path, late, now)
end

-- KEYS: leases. Which leases ended `grace` ago, at most `limit`.
local function due_leases(keys, args)
  local now, grace = now_ms(), tonumber(args[1])
  if grace < 0 then return { 'refused', now, 'time' } end
  return { 'due', now, redis.call('ZRANGEBYSCORE', keys[1], '-inf', text(now - grace), 'LIMIT', 0, args[2]) }
end

-- KEYS: ledger, leases, lease, windows. Moves what a lease holds into suspense if it still is due; frees only its place
-- among the runs at one time.
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
      -- A place among the runs at one time is no money: it is free again.
      if window.unit ~= RUNS then move(window, 'susp', lease.held[window.unit]) end
      move(window, 'live', -1)
    end
  end
  lease.phase, lease.held[RUNS] = 'suspended', 0
  add_row(keys[1], lease, 'suspense', lease.held[1], { 0, 0, 0, lease.held[2], 0 }, lease.held[3], lease.held[7], '1', now)
  write_lease(lease)
  redis.call('ZREM', keys[2], lease.id)
  return { 'reaped', now, 1 }
end

-- KEYS: window. A window that is there in this generation stays as it is.
local function load_window(keys, args)
  local now, input = now_ms(), reader(args)
  local cap, ver, gen, starts, ends, used = input.number(), input.number(), input.number(), input.number(), input.number(), input.number()
  local released, turn, place, mark = input.number(), input.number(), input.word(), input.word()
  if not is_amount(cap) or not is_amount(released) or used > AMOUNT_MAX then return { 'refused', now, 'amount' } end
  local found = read_window(keys[1])
  if found and gen <= found.gen then return { 'done', now } end
  local name = string.match(keys[1], '^{[^}]*}:w:(.*)$')
  if mark ~= '' then
    local current, waiting = pending_late(place, name)
    -- Something was committed that the sum may lack or have: it is to be made again.
    if not waiting or text(current) ~= mark then return announce_late(place, name, gen, starts, ends, now) end
  end
  note_late(place, name, gen, starts, ends, '0')
  redis.call('HSET', keys[1], 'cap', text(cap), 'ver', text(ver), 'gen', text(gen), 'start', text(starts), 'end', text(ends),
    'used', text(used), 'rel', text(released), 'turn', text(turn), 'ask', '0', 'dry', '0', 'shut', '0')
  if not found then
    -- After a loss, what the root had released and the ledger does not show may be in the hands of somebody.
    local lost = epoch ~= '0' and not is_cleared and math.max(0, released - used) or 0
    redis.call('HSET', keys[1], 'held', '0', 'susp', '0', 'live', '0', 'lost', text(lost), 'ep', epoch)
    redis.call('PERSIST', keys[1])
  end
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

-- KEYS: window. Raises what the durable root has released; never lowers it.
local function release_window(keys, args)
  local now, released, turn = now_ms(), tonumber(args[1]), tonumber(args[2])
  if not is_amount(released) then return { 'refused', now, 'amount' } end
  local window = read_window(keys[1])
  if not window then return { 'missing', now, { 0 } } end
  if turn > window.turn then redis.call('HSET', keys[1], 'rel', text(math.max(released, window.rel)), 'turn', text(turn)) end
  return { 'done', now }
end

-- KEYS: window. Gives back half of what is not granted, or all where half is less than `least`.
local function recall_window(keys, args)
  local now, turn, least = now_ms(), tonumber(args[1]), tonumber(args[2])
  if least < 0 then return { 'refused', now, 'amount' } end
  local window = read_window(keys[1])
  if not window then return { 'missing', now, { 0 } } end
  if turn > window.turn then
    local granted = math.max(0, taken(window))
    local half = math.floor(math.max(0, window.rel - granted) / 2)
    if half < least then half = 0 end
    redis.call('HSET', keys[1], 'rel', text(math.min(window.rel, granted + half)), 'turn', text(turn))
  end
  return { 'windows', now, 0, snapshots(keys, 1) }
end

-- KEYS: window. One node at a time asks the root and the other slots of the org for some of it.
local function ask_window(keys, args)
  local now, span = now_ms(), tonumber(args[1])
  if span <= 0 then return { 'refused', now, 'time' } end
  if not read_window(keys[1]) then return { 'missing', now, { 0 } } end
  local untils = redis.call('HMGET', keys[1], 'ask', 'shut')
  if tonumber(untils[1] or '0') > now or tonumber(untils[2] or '0') > now then return { 'windows', now, 0, snapshots(keys, 1) } end
  redis.call('HSET', keys[1], 'ask', text(now + span))
  return { 'done', now }
end

-- KEYS: window. It has asked; '' or for how long it holds that the root has nothing more, and that nothing is left anywhere.
local function asked_window(keys, args)
  local now, dry, shut = now_ms(), tonumber(args[1]), tonumber(args[2])
  if dry and dry <= 0 or shut and shut <= 0 then return { 'refused', now, 'time' } end
  if not read_window(keys[1]) then return { 'missing', now, { 0 } } end
  redis.call('HSET', keys[1], 'ask', '0')
  if dry then redis.call('HSET', keys[1], 'dry', text(now + dry)) end
  if shut then redis.call('HSET', keys[1], 'shut', text(now + shut)) end
  return { 'done', now }
end

-- KEYS: epoch, leases. ARGS: the caller's incarnation, the number and the incarnation of the life that begins. Not gated.
local function begin_epoch(keys, args)
  local now, number = now_ms(), tonumber(args[2])
  if args[1] ~= args[3] then return { 'lost', now } end
  local marker = redis.call('HMGET', keys[1], 'inc', 'ep')
  if marker[2] then
    if marker[1] == args[3] and tonumber(marker[2]) == number then return { 'done', now } end
    if tonumber(marker[2]) >= number then return { 'lost', now } end
  end
  redis.call('DEL', keys[1], keys[2])
  redis.call('HSET', keys[1], 'inc', args[3], 'ep', args[2], 'cleared', '0')
  return { 'done', now }
end

-- KEYS: epoch. Every holder of an earlier life has spoken.
local function clear_epoch(keys, args)
  local now = now_ms()
  if epoch ~= args[1] then return { 'lost', now } end
  redis.call('HSET', keys[1], 'cleared', '1')
  return { 'done', now }
end

-- KEYS: ledger, leases, lease, windows. Takes a lease of an earlier life in.
local function assert_lease(keys, args)
  local now, input = now_ms(), reader(args)
  local claim = {
    node = input.word(), fence = input.word(), project = input.word(), user = input.word(), apikey = input.word(), run = input.word(),
    model = input.word(), price = input.word(), ttl = input.number(), held = read_amounts(input), spent = read_spent(input),
    seq = input.number(), span = input.number(), known = input.word(),
  }
  local refusal = path_refusal(keys)
  if refusal then return { 'refused', now, refusal } end
  if not are_amounts(claim.held) or not is_spent(claim.spent) then return { 'refused', now, 'amount' } end
  if claim.ttl <= 0 then return { 'refused', now, 'time' } end
  local found = read_lease(keys[3])
  if found then
    if found.node ~= claim.node or found.fence ~= claim.fence then return { 'fence', now } end
    return { found.phase == 'suspended' and 'suspended' or 'done', now }
  end
  local path, missing = read_path(keys, 4), {}
  for i, window in ipairs(path) do if not window then missing[#missing + 1] = i - 1 end end
  if #missing > 0 then return { 'missing', now, missing } end
  for _, window in ipairs(path) do
    local amount = claim.held[window.unit]
    if not is_cleared then move(window, 'lost', -math.min(window.lost, amount)) end
    move(window, 'held', amount)
    move(window, 'live', 1)
  end
  claim.key, claim.phase, claim.dec, claim.exp = keys[3], 'live', 'c', now + claim.ttl
  redis.call('HSET', keys[3], 'project', claim.project, 'user', claim.user, 'apikey', claim.apikey, 'run', claim.run, 'model', claim.model,
    'price', claim.price, 'path', path_text(keys, 4), 'span', text(claim.span), 'known', claim.known)
  write_lease(claim)
  redis.call('PERSIST', keys[3])
  redis.call('ZADD', keys[2], text(claim.exp), string.match(keys[3], '^{[^}]*}:lease:(.*)$'))
  return { 'done', now }
end

-- KEYS: windows
local function read_windows(keys) return { 'windows', now_ms(), 0, snapshots(keys, 1) } end

local function register(name, decide, flags)
  redis.register_function { function_name = 'kdcube_' .. name .. '_v5', callback = decide, flags = flags or {} }
end

register('begin', begin_epoch)
register('open', gated(open_lease))
register('step', gated(step_lease))
register('settle', gated(settle_lease))
register('resolve', gated(resolve_lease))
register('reap', gated(reap_lease))
register('announce', gated(announce_window))
register('load', gated(load_window))
register('set_cap', gated(set_cap))
register('release', gated(release_window))
register('recall', gated(recall_window))
register('ask', gated(ask_window))
register('asked', gated(asked_window))
register('assert', gated(assert_lease))
register('due', gated(due_leases), { 'no-writes' })
register('read', gated(read_windows), { 'no-writes' })
-- Is given the marker itself as its first own key, too.
register('clear', gated(clear_epoch))
