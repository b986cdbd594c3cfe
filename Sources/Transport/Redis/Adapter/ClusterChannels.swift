/// The names of the channels of @socket.io/redis-adapter.
struct ClusterChannels: Sendable, Hashable {
    /// `socket.io`, unless the option `key` of the other servers' adapter says otherwise.
    let key: String

    /// What every name of a broadcast begins with.
    var broadcasts: String { key + "#" }

    /// Where a broadcast goes: to the namespace, or, when it is for one room alone, to that room.
    func broadcast(_ namespace: String, room: String? = nil) -> String {
        "\(key)#\(namespace)#" + (room.map { $0 + "#" } ?? "")
    }

    func request(_ namespace: String) -> String { "\(key)-request#\(namespace)#" }
    func response(_ namespace: String) -> String { "\(key)-response#\(namespace)#" }

    /// For the answers to one server's questions.
    func response(_ namespace: String, to uid: String) -> String { "\(response(namespace))\(uid)#" }
}
