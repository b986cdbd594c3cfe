import Accounting

/// Who is there: organisations by Zipf behind one hot one, their projects, users, keys, and the places of clients.
struct Population {
    struct Org {
        let name: OrgID
        let streams: Int
        /// Counter sets, one a sub-slot, that the org has to itself; empty where it shares its master's.
        var sets: Range<Int> = 0..<0
        /// Of the first of its projects and users.
        var project = 0
        var user = 0
        var projects = 1
        var users = 1
    }

    struct User {
        let org: Int
        let project: Int
        /// The counters that decide for it.
        let set: Int
    }

    private(set) var orgs: [Org] = []
    private(set) var users: [User] = []
    private(set) var projectStreams: [Int] = []
    private(set) var userStreams: [Int] = []
    /// The user of each place.
    private(set) var places: [Int32] = []
    /// The master of each counter set. The first ones are those that a master's small organisations share.
    private(set) var masterOfSet: [Int] = []

    init(_ settings: ScaleSettings) {
        masterOfSet = Array(0..<settings.masters)
        addOrgs(settings)
        addUsers(settings)
    }

    private static func name(_ index: Int) -> OrgID {
        guard let name = try? OrgID("o\(index)") else { preconditionFailure("a name that no organisation may have") }
        return name
    }

    private mutating func addOrgs(_ settings: ScaleSettings) {
        let hot = settings.streams * settings.hotShare / 1_000
        let rest = settings.streams - hot
        let count = max(3, settings.streams / 200)
        let weights = (1...count).map { 1 / Double($0) }
        let sum = weights.reduce(0, +)
        var left = rest
        orgs.append(Org(name: "acme", streams: hot))
        for (index, weight) in weights.enumerated() {
            let streams = index == count - 1 ? left : min(left, Int(Double(rest) * weight / sum))
            orgs.append(Org(name: Self.name(index), streams: streams))
            left -= streams
        }
        for index in orgs.indices where orgs[index].streams > 0 {
            let streams = orgs[index].streams
            let slots = index == 0 ? settings.hotSlots : settings.streamsPerSlot == 0 ? 1 : 1 + (streams - 1) / settings.streamsPerSlot
            if index == 0 || slots > 1 { addSets(index, slots, settings) }
            orgs[index].users = max(1, streams / Traffic.streamsPerUser)
            orgs[index].projects = max(1, min(200, streams / 500, orgs[index].users))
        }
    }

    private mutating func addSets(_ org: Int, _ slots: Int, _ settings: ScaleSettings) {
        orgs[org].sets = masterOfSet.count..<masterOfSet.count + slots
        for slot in 0..<slots {
            let name = slots == 1 ? orgs[org].name.text : "\(orgs[org].name)/\(slot + 1)"
            // Large organisations one after another, so that a master has as many of their slots as any other.
            let turn = (masterOfSet.count - settings.masters) % settings.masters
            masterOfSet.append(settings.isBalanced ? turn : hashSlot(name) * settings.masters / 16_384)
        }
    }

    private mutating func addUsers(_ settings: ScaleSettings) {
        places.reserveCapacity(settings.streams)
        for index in orgs.indices where orgs[index].streams > 0 {
            orgs[index].project = projectStreams.count
            orgs[index].user = users.count
            let org = orgs[index]
            projectStreams += Array(repeating: 0, count: org.projects)
            for number in 0..<org.users {
                // The slot of a run is the hash of its user; small organisations have their master's shared set.
                let slot = org.sets.isEmpty ? 0 : Int(fnv("u\(users.count)") % UInt64(org.sets.count))
                let set = org.sets.isEmpty ? hashSlot(org.name.text) * settings.masters / 16_384 : org.sets.lowerBound + slot
                users.append(User(org: index, project: org.project + number % org.projects, set: set))
                userStreams.append(0)
            }
            for place in 0..<org.streams {
                let user = org.user + place % org.users
                places.append(Int32(user))
                userStreams[user] += 1
                projectStreams[users[user].project] += 1
            }
        }
    }
}
