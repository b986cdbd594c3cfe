internal import Transport

/// Which nodes are up, and whether this one has its id, decided without a clock or a connection. Pure; times are milliseconds of a clock
/// that never goes back.
struct MembershipMachine {
    /// What a node says with every beat.
    struct Beat: Equatable {
        var id: UInt32
        var holder: String
        var uid: String?
        var address: PeerAddress?
        var leaves = false
    }

    enum Action: Equatable {
        /// The others that are up have changed, or how this node is doing.
        case publish
        /// The id is taken and has not been used: beat again at once, with the other one that there is now.
        case tryAnotherID
        case tellContactLost, tellContactFound
        case tellIDLost
    }

    private struct Known {
        var node: ClusterNode
        /// When it was last seen to be up.
        var seen: Int64
    }

    private(set) var beat: Beat
    private(set) var state = MembershipStatus.State.waiting
    private var known: [UInt32: Known] = [:]
    /// The id has been told to somebody: it stays as long as the process.
    private var isFixed = false
    private var claims = 1
    private var lastAnswer: Int64?
    /// Since when Redis has answered without a gap.
    private var contactSince: Int64 = 0

    init(id: UInt32, holder: String) {
        beat = Beat(id: id, holder: holder)
    }

    var nodes: [ClusterNode] { known.values.map(\.node).sorted { $0.id < $1.id } }

    /// The id is used from here on.
    mutating func fix() { isFixed = true }

    mutating func announce(uid: String?, address: PeerAddress?) {
        if let uid { beat.uid = uid }
        if let address { beat.address = address }
    }

    mutating func leave() { beat.leaves = true }

    /// Whether there is anything to say: a process without its id keeps silent.
    var mayBeat: Bool { state != .idLost }

    // MARK: Answers

    /// - Parameter spare: another id at random, for the case that this one is taken.
    mutating func answered(_ answer: MembershipTable.Answer, at now: Int64, spare: UInt32) -> [Action] {
        guard state != .idLost else { return [] }
        switch answer {
        case .taken:
            guard !isFixed, claims < MembershipLimits.claimsMax else {
                state = .idLost
                return [.tellIDLost, .publish]
            }
            claims += 1
            beat.id = spare
            return [.tryAnotherID]
        case .rows(let rows):
            let wasOut = state == .outOfContact
            state = .member
            read(rows, at: now)
            return (wasOut ? [.tellContactFound] : []) + [.publish]
        }
    }

    /// Redis did not answer, or not what the script answers with.
    mutating func failed() -> [Action] {
        guard state == .member else { return [] }
        state = .outOfContact
        return [.tellContactLost, .publish]
    }

    /// A row is dropped when its node has left, or has been silent for too long: by Redis' clock, and after a gap in the contact by ours,
    /// because the rows of all nodes are as old as the gap then, and a Redis that was restarted has none.
    private mutating func read(_ rows: [MembershipTable.Row], at now: Int64) {
        if lastAnswer.map({ now - $0 > MembershipLimits.contactGapMilliseconds }) ?? true { contactSince = now }
        lastAnswer = now
        let isSettled = now - contactSince >= MembershipLimits.downMilliseconds
        var left: Set<UInt32> = []
        for row in rows where row.node.id != beat.id {
            if row.hasLeft {
                left.insert(row.node.id)
            } else if row.ageMilliseconds < MembershipLimits.downMilliseconds {
                known[row.node.id] = Known(node: row.node, seen: now)
            } else if isSettled {
                left.insert(row.node.id)
            }
        }
        known = known.filter { id, entry in
            !left.contains(id) && (!isSettled || now - entry.seen < MembershipLimits.downMilliseconds)
        }
    }
}
