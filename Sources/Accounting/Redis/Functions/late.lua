
-- Windows that came after a lease (LateWindows.swift). Follows leases.lua in the same library.
--
-- They are kept in the marker of the life, by whom they count, which is a place: o, p/<project>, u/<project>/<user> or k/<key>, and
-- //<model> behind it for the windows of one model. Of each place:
--   n:<place>  the highest generation
--   w:<place>  the windows, each 'name gen start end pending ' (pending: announced and not loaded)
--   m:<place>  the mark, which every commit moves that counts in a pending one
-- and `newest`, the highest generation of all: a lease that knows as much costs nothing more.

local LATE_MAX = 64 -- AccountingLimits.lateWindows
local LATE_ENTRY = '(%S+) (%S+) (%S+) (%S+) (%S+) '

local function late_places(lease)
  local f = lease.fields
  local places = { 'o', 'p/' .. f.project }
  if f.user ~= '' then places[#places + 1] = 'u/' .. f.project .. '/' .. f.user end
  if f.apikey ~= '' then places[#places + 1] = 'k/' .. f.apikey end
  for i = 1, #places do places[#places + 1] = places[i] .. '//' .. f.model end
  return places
end

-- The names of the windows that a commit at `at` counts in beside its path, and the places where one is pending.
local function find_late(lease, at)
  local names, pending, places, fields = {}, {}, late_places(lease), {}
  for i, place in ipairs(places) do fields[i] = 'n:' .. place end
  local path, known = ' ' .. lease.path .. ' ', lease.known
  for i, highest in ipairs(redis.call('HMGET', marker, unpack(fields))) do
    if highest and tonumber(highest) > known then
      for name, gen, starts, ends, waits in string.gmatch(redis.call('HGET', marker, 'w:' .. places[i]), LATE_ENTRY) do
        if tonumber(gen) > known and tonumber(starts) <= at and at < tonumber(ends) then
          if waits == '1' then
            pending[#pending + 1] = places[i]
          elseif not string.find(path, ' ' .. name .. ' ', 1, true) then
            names[#names + 1] = name
          end
        end
      end
    end
  end
  return names, pending
end

-- The keys that follow those of the path: as many as the last argument says, which is left out when there is none.
local function take_late(keys, count)
  local late = {}
  for i = 1, tonumber(count or '0') do late[i] = table.remove(keys) end
  return late
end

-- What a commit has to count beside its path, or nil and the answer that names the windows that the caller has to declare: `late`
-- are the keys that it did declare.
local function read_late(lease, spent, late, now)
  if lease.known >= newest or same_spent(spent, lease.spent) then return {} end
  local names, pending = find_late(lease, math.min(now, lease.span - 1))
  local declared, found = {}, { pending = pending }
  for _, key in ipairs(late) do declared[string.match(key, '^{[^}]*}:w:(.*)$')] = key end
  for _, name in ipairs(names) do
    if not declared[name] then return nil, { 'late', now, table.concat(names, ' ') } end
    found[#found + 1] = read_window(declared[name])
  end
  return found
end

local function note_late(place, name, gen, starts, ends, waits)
  local entries, first = {}, nil
  for known, g, s, e, w in string.gmatch(redis.call('HGET', marker, 'w:' .. place) or '', LATE_ENTRY) do
    -- One that is loaded in an earlier generation counts until it is loaded anew.
    local stays = known ~= name or (waits == '1' and w == '0')
    if stays then entries[#entries + 1] = { ends = tonumber(e), text = table.concat({ known, g, s, e, w }, ' ') .. ' ' } end
  end
  entries[#entries + 1] = { ends = ends, text = table.concat({ name, text(gen), text(starts), text(ends), waits }, ' ') .. ' ' }
  if #entries > LATE_MAX then
    for i, entry in ipairs(entries) do if not first or entry.ends < entries[first].ends then first = i end end
    table.remove(entries, first)
  end
  for i, entry in ipairs(entries) do entries[i] = entry.text end
  local highest = tonumber(redis.call('HGET', marker, 'n:' .. place) or '0')
  newest = math.max(newest, gen)
  redis.call('HSET', marker, 'w:' .. place, table.concat(entries), 'n:' .. place, text(math.max(highest, gen)), 'newest', text(newest))
end

-- The mark of a place, and the generation under which a window waits there for its load.
local function pending_late(place, name)
  local list, waiting, others = redis.call('HGET', marker, 'w:' .. place) or '', nil, false
  for known, gen, _, _, waits in string.gmatch(list, LATE_ENTRY) do
    if waits == '1' then
      others = true
      if known == name then waiting = tonumber(gen) end
    end
  end
  return tonumber(redis.call('HGET', marker, 'm:' .. place) or '0'), waiting, others
end

local function announce_late(place, name, gen, starts, ends, now)
  local mark, waiting, others = pending_late(place, name)
  if waiting and waiting >= gen then return { 'announced', now, text(mark) } end
  -- While nothing was pending no commit moved the mark: it must not be one that a forgotten load may still name.
  if waiting or not others then
    mark = math.max(mark + 1, now)
    redis.call('HSET', marker, 'm:' .. place, text(mark))
  end
  note_late(place, name, gen, starts, ends, '1')
  return { 'announced', now, text(mark) }
end

-- KEYS: window. The ledger is going to be summed for it.
local function announce_window(keys, args)
  local now, input = now_ms(), reader(args)
  local gen, starts, ends, place = input.number(), input.number(), input.number(), input.word()
  local found = read_window(keys[1])
  if found and gen <= found.gen then return { 'done', now } end
  return announce_late(place, string.match(keys[1], '^{[^}]*}:w:(.*)$'), gen, starts, ends, now)
end
