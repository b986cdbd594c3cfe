internal import RedisClient
internal import Transport

/// The table of nodes in Redis: one hash, a field for each node id. All of a beat happens in one script, by Redis' own clock: the claim,
/// its renewal and the reading, so that clocks of nodes need not agree and one round trip is enough. One key, so that a Redis Cluster
/// has it in one place.
enum MembershipTable {
    static let key = "kdcube:node:table"

    /// A row as Redis tells it.
    struct Row: Equatable {
        var node: ClusterNode
        /// Since its last beat.
        var ageMilliseconds: Int64
        /// It has said that it stops.
        var hasLeft = false
    }

    enum Answer: Equatable {
        case rows([Row])
        /// Another process has the id.
        case taken
    }

    /// A row is `ms state holder uid address`; `-` stands for what is not there. `holder` is the process' secret from the generator: who
    /// does not know it cannot renew the claim.
    ///
    /// KEYS: the table. ARGV: id, holder, state, uid, address, ms of a claim, rows at most.
    private static let script = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local own = redis.call('HGET', KEYS[1], ARGV[1])
        if own then
            local at, holder = string.match(own, '^(%d+) %S+ (%S+) ')
            if holder and holder ~= ARGV[2] and now - tonumber(at) < tonumber(ARGV[6]) then return {'taken'} end
        end
        local row = string.format('%.0f', now) .. ' ' .. ARGV[3] .. ' ' .. ARGV[2] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5]
        redis.call('HSET', KEYS[1], ARGV[1], row)
        redis.call('PEXPIRE', KEYS[1], 10 * tonumber(ARGV[6]))
        local all = redis.call('HGETALL', KEYS[1])
        local answer = {'rows'}
        for i = 1, #all, 2 do
            local at, state, uid, address = string.match(all[i + 1], '^(%d+) (%S+) %S+ (%S+) (%S+)$')
            if not at or now - tonumber(at) >= tonumber(ARGV[6]) then
                redis.call('HDEL', KEYS[1], all[i])
            elseif #answer < 5 * tonumber(ARGV[7]) then
                answer[#answer + 1] = all[i]
                answer[#answer + 1] = string.format('%.0f', now - tonumber(at))
                answer[#answer + 1] = state
                answer[#answer + 1] = uid
                answer[#answer + 1] = address
            end
        end
        return answer
        """

    static func command(_ beat: MembershipMachine.Beat) -> RedisCommand {
        var command = RedisCommand("EVAL", script, "1", key)
        command.append(String(beat.id))
        command.append(beat.holder)
        command.append(beat.leaves ? "off" : "on")
        command.append(beat.uid ?? "-")
        command.append(beat.address?.description ?? "-")
        command.append(MembershipLimits.claimMilliseconds)
        command.append(Int64(MembershipLimits.nodesMax))
        return command
    }

    /// Reads the script's answer; nil for what is none. A row that cannot be read is left out.
    static func answer(_ value: RedisValue) -> Answer? {
        guard let elements = value.elements, let first = elements.first?.string else { return nil }
        if first == "taken" { return .taken }
        guard first == "rows", elements.count % 5 == 1 else { return nil }
        return .rows(
            stride(from: 1, to: elements.count, by: 5).compactMap { start in
                let words = elements[start..<start + 5].map { $0.string ?? "" }
                guard let id = UInt32(words[0]), id < 1 << 24, let age = Int64(words[1]),
                    words.allSatisfy({ $0.utf8.count <= MembershipLimits.wordBytesMax })
                else { return nil }
                let node = ClusterNode(id: id, address: PeerAddress(words[4]), uid: words[3] == "-" ? nil : words[3])
                return Row(node: node, ageMilliseconds: age, hasLeft: words[2] == "off")
            })
    }
}
