#!lua name=kdcube_v5
--[[
Windows and leases, decided in one call each: the Redis form of CounterMachine (Sources/Accounting/Metering/Counters), which is its
model in the differential test. Change both or neither, and raise the version in every name when the behaviour changes.

The library is this file, leases.lua, late.lua and functions.lua, joined in this order by RedisFunctions.swift: here amounts, windows
and the choice of an offer, then what a lease does and the windows that came after it, last the functions that may be called.

Keys, all under the hash tag {org}, so that a path lives in one slot of a cluster; every key is declared by the caller:
  {org}:epoch                               hash    inc ep cleared: the life that the counters are in (Epoch.swift); late windows (late.lua)
  {org}:w:<scope>:<unit>:<period>:<window>  hash    ep cap ver gen start end used held susp rel turn lost live ask dry shut; expires 7 days after its end
  {org}:lease:<id>                          hash    ep, holder, attribution, path, held, spent, seq, last decision, expiry, phase
  {org}:leases                              zset    live leases by expiry
  {org}:ledger                              stream  the outbox: each row is added by the call that moves the amounts

Rules: integers only, none above AMOUNT_MAX, because Lua computes in doubles (exact to 2^53); time only from TIME; everything is
checked before the first write, because Redis does not undo what a failing function has written.
A window or lease whose `ep` is not the org's is of an earlier life: it is not there.
A reply is {word, now, ...}.
--]]

local AMOUNT_MAX = 9000000000000000
local COUNT_MAX = 4000000000000000000 -- what HINCRBY may reach: far from the end of int64
local NEVER = 253402300800000
local WINDOWS_MAX = 248
local OFFERS_MAX = 16
local WINDOW_RETENTION = 7 * 86400000
local SETTLED_RETENTION = 600000
-- The order of all amounts (Amounts.swift).
local UNITS = { usd = 1, tokens = 2, requests = 3, input_tokens = 4, output_tokens = 5, runs = 6, calls = 7 }
local UNIT_COUNT, RUNS = 7, 6
local SPENT = { 'nano', 'in', 'cread', 'cwrite', 'out', 'think', 'req', 'calls' }

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

-- '1500,64,1': zeros at the end are left off.
local function amounts_from(word)
  local amounts, unit = { 0, 0, 0, 0, 0, 0, 0 }, 0
  for number in string.gmatch(word, '[^,]+') do
    unit = unit + 1
    amounts[unit] = tonumber(number)
  end
  return amounts
end

local function read_amounts(input) return amounts_from(input.word()) end

local function amounts_text(amounts)
  local last = UNIT_COUNT
  while last > 3 and amounts[last] == 0 do last = last - 1 end
  local parts = {}
  for u = 1, last do parts[u] = text(amounts[u]) end
  return table.concat(parts, ',')
end

local function are_amounts(amounts)
  for u = 1, UNIT_COUNT do if not is_amount(amounts[u]) then return false end end
  return true
end

-- {nano, in, cread, cwrite, out, think, req, calls, est = '0' or '1'}
local function read_spent(input)
  local spent = {}
  for i = 1, #SPENT do spent[i] = input.number() end
  spent.est = input.word()
  return spent
end

local function tokens_of(spent) return spent[2] + spent[3] + spent[4] + spent[5] + spent[6] end

local function amounts_of(spent)
  return { spent[1], tokens_of(spent), spent[7], spent[2] + spent[3] + spent[4], spent[5] + spent[6], 0, spent[8] }
end

local function is_spent(spent)
  for i = 1, #SPENT do if not is_amount(spent[i]) then return false end end
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

-- The life of the org's counters ------------------------------------------------------------------------------------

-- Of the org whose function runs now: set by `gated` before anything else, because one function runs at a time.
local epoch, is_cleared
-- The key of the life, and the highest generation of any window that was loaded or announced in it.
local marker, newest

-- Puts the question of the life before a function: KEYS {org}:epoch, then the function's own; ARGS the caller's incarnation, with a
-- number behind it when only that life will do, then its own.
local function gated(decide)
  return function(keys, args)
    local life = redis.call('HMGET', keys[1], 'inc', 'ep', 'cleared', 'newest')
    if not life[1] or life[1] ~= args[1] and life[1] .. ' ' .. life[2] ~= args[1] then return { 'lost', now_ms() } end
    epoch, is_cleared = life[2], life[3] == '1'
    marker, newest = keys[1], tonumber(life[4] or '0')
    return decide({ unpack(keys, 2) }, { unpack(args, 2) })
  end
end

-- Windows -----------------------------------------------------------------------------------------------------------

-- A window that is not loaded is false, never zero.
local function read_window(key)
  local f = redis.call('HMGET', key, 'cap', 'used', 'held', 'susp', 'end', 'ver', 'gen', 'live', 'rel', 'lost', 'ep', 'turn')
  if not f[1] or f[11] ~= epoch then return false end
  return {
    key = key, unit = UNITS[string.match(key, ':([%a_]+):%a+:[^:]*$')],
    cap = tonumber(f[1]), used = tonumber(f[2]), held = tonumber(f[3]), susp = tonumber(f[4]), ends = tonumber(f[5]),
    ver = tonumber(f[6]), gen = tonumber(f[7]), live = tonumber(f[8]), rel = tonumber(f[9]),
    lost = is_cleared and 0 or tonumber(f[10]), turn = tonumber(f[12] or '0'),
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

local function taken(window) return window.used + window.held + window.susp + window.lost end

local function headroom(window) return math.min(window.cap, window.rel) - taken(window) end

-- Fresh from Redis, so that numbers above 2^53 (overruns) come back exact.
local function snapshots(keys, first)
  local list = {}
  for i = first, #keys do
    local f = redis.call('HMGET', keys[i], 'cap', 'used', 'held', 'susp', 'end', 'rel', 'lost', 'turn', 'dry', 'shut', 'ep')
    local there = f[1] and f[11] == epoch
    if is_cleared then f[7] = '0' end
    f[9], f[10], f[11] = f[9] or '0', f[10] or '0', nil
    list[#list + 1] = there and f or false
  end
  return list
end

local function raise_cap(window, cap, version)
  if version <= window.ver then return end
  -- What a split org's other slots were given of the old cap is not known here: each asks the root anew.
  if cap < window.cap and string.find(window.key, '^{[^}]*/') then
    local kept = math.min(window.rel, math.max(0, taken(window)))
    if kept < window.rel then
      window.rel = kept
      redis.call('HSET', window.key, 'rel', text(kept))
    end
  end
  window.cap, window.ver = cap, version
  redis.call('HSET', window.key, 'cap', text(cap), 'ver', text(version), 'dry', '0', 'shut', '0')
end

-- Choosing an offer (CounterMachine.choose) ---------------------------------------------------------------------------

local function fits(offer, fixed, window, floor, new)
  if not window then return true end
  local amount = offer.amounts[window.unit]
  if amount + fixed[window.unit] <= 0 then return true end
  if amount > headroom(window) - fixed[window.unit] then return false end
  -- amount <= room / (2 * leases), without a division: a product above 2^53 is above every cap all the same.
  local room = window.cap - taken(window) - fixed[window.unit]
  return offer.tokens <= floor or amount * 2 * math.max(1, window.live + new) <= room
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
