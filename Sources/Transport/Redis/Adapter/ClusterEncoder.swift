internal import JSON
internal import MessagePack
internal import Transport

/// Writes what ``ClusterDecoder`` reads, as @socket.io/redis-adapter does: broadcasts and acknowledgements as MessagePack, the rest as
/// JSON unless it holds bytes, which JSON has not.
enum ClusterEncoder {
    static func broadcast(_ message: ClusterBroadcast) -> [UInt8] {
        var writer = MessagePackWriter(reserving: 512)
        writer.beginArray(3)
        writer.value(message.uid)
        write(message.event, message.arguments, message.namespace, into: &writer)
        writer.beginMap(3)
        write(message.target, into: &writer)
        writer.value("flags")
        let flags = flags(message.flags)
        writer.value(.object(flags))
        return writer.bytes
    }

    static func request(_ request: ClusterRequest, namespace: String) -> [UInt8] {
        var fields = JSONObject()
        fields["uid"] = request.uid.map { .string($0) }
        fields["requestId"] = request.id.map { .string($0) }
        switch request.body {
        case .sockets(let target):
            fields["type"] = type(.sockets)
            fields["rooms"] = names(target.rooms ?? [])
        case .allRooms: fields["type"] = type(.allRooms)
        case .command(let command, _): add(command, to: &fields)
        case .fetch(let target):
            fields["type"] = type(.fetch)
            fields["opts"] = .object(opts(target))
        case .serverSideEmit(let event, let arguments):
            fields["type"] = type(.serverSideEmit)
            fields["data"] = .array([.string(event)] + arguments)
        case .broadcast(let event, let arguments, let target, let flags, let milliseconds):
            fields["type"] = type(.broadcast)
            fields["packet"] = ["type": 2, "data": .array([.string(event)] + arguments), "nsp": .string(namespace)]
            var opts = opts(target)
            var wishes = self.flags(flags)
            wishes["timeout"] = milliseconds.map { .integer($0) }
            opts["flags"] = .object(wishes)
            fields["opts"] = .object(opts)
            // As the reference has it, whatever the arguments are.
            return MessagePackWriter.bytes(of: .object(fields))
        }
        return text(fields)
    }

    static func response(_ response: ClusterResponse) -> [UInt8] {
        var fields = JSONObject()
        switch response.body {
        case .sockets(let sockets):
            fields["requestId"] = .string(response.id)
            fields["sockets"] = .array(sockets)
        case .rooms(let rooms):
            fields["requestId"] = .string(response.id)
            fields["rooms"] = names(rooms)
        case .done: fields["requestId"] = .string(response.id)
        case .serverSideEmit(let value):
            fields["type"] = type(.serverSideEmit)
            fields["requestId"] = .string(response.id)
            fields["data"] = value
        case .clientCount(let count):
            fields["type"] = type(.clientCount)
            fields["requestId"] = .string(response.id)
            fields["clientCount"] = .integer(Int64(count))
        case .ack(let value):
            fields["type"] = type(.ack)
            fields["requestId"] = .string(response.id)
            fields["packet"] = value
            return MessagePackWriter.bytes(of: .object(fields))
        }
        return text(fields)
    }

    private static func add(_ command: ClusterCommand, to fields: inout JSONObject) {
        switch command {
        case .join(let rooms, let target):
            fields["type"] = type(.join)
            fields["opts"] = .object(opts(target))
            fields["rooms"] = names(rooms)
        case .leave(let rooms, let target):
            fields["type"] = type(.leave)
            fields["opts"] = .object(opts(target))
            fields["rooms"] = names(rooms)
        case .disconnect(let closes, let target):
            fields["type"] = type(.disconnect)
            fields["opts"] = .object(opts(target))
            fields["close"] = .bool(closes)
        case .emit, .serverSideEmit: preconditionFailure("these are messages of their own")
        }
    }

    // MARK: Parts

    /// JSON, unless something in it is binary.
    private static func text(_ fields: JSONObject) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(.object(fields))
        return writer.attachments.isEmpty ? writer.bytes : MessagePackWriter.bytes(of: .object(fields))
    }

    private static func type(_ kind: ClusterRequest.Kind) -> JSONValue { .integer(kind.rawValue) }
    private static func names(_ names: [String]) -> JSONValue { .array(names.map { .string($0) }) }

    private static func opts(_ target: BroadcastTarget) -> JSONObject {
        JSONObject([("rooms", names(target.rooms ?? [])), ("except", names(target.except))])
    }

    private static func flags(_ flags: EmitFlags) -> JSONObject {
        var object = JSONObject()
        if flags.isVolatile { object["volatile"] = true }
        if !flags.compresses { object["compress"] = false }
        return object
    }

    private static func write(_ event: String, _ arguments: [JSONValue], _ namespace: String, into writer: inout MessagePackWriter) {
        writer.beginMap(3)
        writer.value("type")
        writer.value(2 as Int64)
        writer.value("data")
        writer.beginArray(1 + arguments.count)
        writer.value(event)
        for argument in arguments { writer.value(argument) }
        writer.value("nsp")
        writer.value(namespace)
    }

    private static func write(_ target: BroadcastTarget, into writer: inout MessagePackWriter) {
        writer.value("rooms")
        writer.value(names(target.rooms ?? []))
        writer.value("except")
        writer.value(names(target.except))
    }
}
