internal import JSON
internal import Transport

/// A socket that may come back, as it stands in Redis under its `pid`: base64 of the MessagePack map `{sid, pid, rooms, data}`, which
/// servers of Node.js with @socket.io/redis-streams-adapter write and take. What they do not know is in one more member, which they do
/// not read.
///
/// Source: socketio.md §3.5.
enum SessionCodec {
    /// The option `sessionKeyPrefix` of the adapter, by its default.
    static let keyPrefix = "sio:session:"
    private static let detailsMember = "kdcube"

    static func key(_ pid: SessionID) -> String { keyPrefix + String(describing: pid) }

    /// - Parameter stream: whose events the places are of: two installations may share a Redis.
    static func encode(_ session: RecoverySession, stream: String) -> [UInt8] {
        var fields = JSONObject([
            ("sid", .string(String(describing: session.id))), ("pid", .string(String(describing: session.pid))),
            ("rooms", .array(session.rooms.map { .string($0.name) })), ("data", .object(session.data)),
        ])
        if let details = session.details {
            var ours = JSONObject([
                ("stream", .string(stream)), ("nsp", .string(details.namespace)), ("start", .string(details.start.entryID)),
                ("at", .string(details.at.entryID)), ("since", .array(session.rooms.map { .string($0.since.entryID) })),
            ])
            ours["identity"] = details.identity.map { .string($0) }
            fields[detailsMember] = .object(ours)
        }
        return StreamCodec.encode(.object(fields))
    }

    /// Nil for what is none, or is of another stream.
    static func decode(_ text: String, pid: SessionID, stream: String) -> RecoverySession? {
        guard text.utf8.count <= StreamLimits.sessionBytesMax, let value = try? StreamCodec.decode(text),
            value["pid"]?.stringValue == String(describing: pid), let sid = value["sid"]?.stringValue, let id = SessionID(sid),
            let names = try? ClusterDecoder.names(value["rooms"]), names.count <= TransportLimits.roomsPerSocketMax + 1,
            names.allSatisfy({ $0.utf8.count <= TransportLimits.roomNameBytesMax })
        else { return nil }
        let data = value["data"]?.objectValue ?? JSONObject()
        guard let ours = value[detailsMember] else {
            let others = names.filter { $0 != sid }
            return RecoverySession(
                id: id, pid: pid, rooms: ([sid] + others).map { .init(name: $0, since: .start) }, data: data, details: nil)
        }
        guard ours["stream"]?.stringValue == stream, let namespace = ours["nsp"]?.stringValue, let start = place(ours["start"]),
            let at = place(ours["at"]), let since = ours["since"]?.arrayValue, since.count == names.count, names.first == sid
        else { return nil }
        var rooms: [RecoverySession.Room] = []
        for (name, text) in zip(names, since) {
            guard let place = place(text) else { return nil }
            rooms.append(.init(name: name, since: place))
        }
        return RecoverySession(
            id: id, pid: pid, rooms: rooms, data: data,
            details: .init(namespace: namespace, identity: ours["identity"]?.stringValue, start: start, at: at))
    }

    private static func place(_ value: JSONValue?) -> RecoveryOffset? { value?.stringValue.flatMap { RecoveryOffset($0, .entry) } }
}
