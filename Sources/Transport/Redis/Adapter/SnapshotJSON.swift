internal import JSON
internal import NIOHTTP1
internal import Transport

/// A socket as servers show it to each other in the answer to a look-up (S24): `{id, handshake, rooms, data}`.
enum SnapshotJSON {
    static func value(_ snapshot: SocketSnapshot) -> JSONValue {
        let handshake = snapshot.handshake
        var headers = JSONObject()
        // Node writes names in lower case, and of several fields of one name a list.
        for (name, value) in handshake.headers {
            let name = name.lowercased()
            headers[name] = .string(headers[name]?.stringValue.map { "\($0), \(value)" } ?? value)
        }
        return [
            "id": .string(snapshot.id),
            "handshake": [
                "headers": .object(headers), "time": .string(handshake.time), "address": .string(handshake.address),
                "xdomain": .bool(handshake.xdomain), "secure": .bool(handshake.secure), "issued": .integer(handshake.issued),
                "url": .string(handshake.url),
                "query": .object(JSONObject(handshake.query.map { ($0.name, .string($0.value)) })), "auth": handshake.auth,
            ],
            "rooms": .array(snapshot.rooms.map { .string($0) }),
            "data": .object(snapshot.data),
        ]
    }

    /// Nil for what has no id. What another server leaves out is empty.
    static func snapshot(_ value: JSONValue) -> SocketSnapshot? {
        guard let id = value["id"]?.stringValue else { return nil }
        let handshake = value["handshake"] ?? .null
        let request = SessionRequest(
            url: handshake["url"]?.stringValue ?? "", headers: headers(handshake["headers"]), query: query(handshake["query"]),
            address: handshake["address"]?.stringValue ?? "", isSecure: handshake["secure"]?.boolValue ?? false,
            issued: handshake["issued"]?.integerValue ?? 0)
        return SocketSnapshot(
            id: id, handshake: Handshake(request: request, auth: handshake["auth"] ?? .object(JSONObject())),
            rooms: (try? ClusterDecoder.names(value["rooms"])) ?? [], data: value["data"]?.objectValue ?? JSONObject())
    }

    private static func headers(_ value: JSONValue?) -> HTTPHeaders {
        var headers = HTTPHeaders()
        for member in value?.objectValue?.members ?? [] {
            for text in member.value.arrayValue?.compactMap(\.stringValue) ?? [member.value.stringValue].compactMap({ $0 }) {
                headers.add(name: member.key, value: text)
            }
        }
        return headers
    }

    private static func query(_ value: JSONValue?) -> [(name: String, value: String)] {
        (value?.objectValue?.members ?? []).map { ($0.key, $0.value.stringValue ?? $0.value.numberText ?? "") }
    }
}
