import NIOCore

/// The server's side of the opening handshake (RFC 6455 §4.2). Linear in the length of the fields (attack 13).
public enum WebSocketHandshake {
    private static let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    /// Judges an upgrade request.
    ///
    /// - Parameters:
    ///   - subprotocols: what the server speaks; the first one that the client offers is agreed on.
    ///   - deflate: what may be agreed on of permessage-deflate; nil declines it, and no other extension is known.
    public static func accept(
        _ request: WebSocketUpgradeRequest, subprotocols: [String] = [], deflate: DeflatePolicy? = nil
    ) throws(WebSocketRefusal) -> WebSocketAcceptance {
        guard request.method == "GET" else { throw WebSocketRefusal(reason: .method) }
        guard request.majorVersion == 1, request.minorVersion >= 1 else { throw WebSocketRefusal(reason: .httpVersion) }
        let fields = Fields(request.headers)
        guard fields.hosts == 1 else { throw WebSocketRefusal(reason: .host) }
        guard fields.upgradesToWebSocket else { throw WebSocketRefusal(reason: .upgrade) }
        guard fields.connectionUpgrades else { throw WebSocketRefusal(reason: .connection) }
        guard fields.versions.count == 1, fields.versions[0] == "13" else { throw WebSocketRefusal(reason: .version) }
        guard fields.keys.count == 1, isKey(fields.keys[0]) else { throw WebSocketRefusal(reason: .key) }
        var subprotocol: String?
        if !fields.subprotocols.isEmpty {
            guard let offered = offers(in: fields.subprotocols) else { throw WebSocketRefusal(reason: .subprotocol) }
            subprotocol = offered.first { subprotocols.contains($0) }
        }
        var agreement: DeflateAgreement?
        if let deflate, !fields.extensions.isEmpty {
            guard let offers = ExtensionOffer.parse(fields.extensions) else { throw WebSocketRefusal(reason: .extensions) }
            agreement = DeflateAgreement.choose(among: offers, under: deflate)
        }
        return WebSocketAcceptance(textToHash: fields.keys[0] + guid, subprotocol: subprotocol, deflate: agreement)
    }

    /// The text whose SHA-1 the accept field carries, for a client that checks it.
    public static func textToHash(key: String) -> String { key + guid }

    private static func isKey(_ text: String) -> Bool {
        text.utf8.count == 24 && Base64.decode(ByteBuffer(string: text))?.readableBytes == 16
    }

    /// The offered subprotocols in order of preference; nil unless they are distinct tokens.
    private static func offers(in values: [String]) -> [String]? {
        var offered: [String] = []
        var seen: Set<String> = []
        for value in values {
            for item in value.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
                let name = HTTPListItem.trimmed(item)
                guard !name.isEmpty, name.allSatisfy(HTTPListItem.isTokenByte) else { return nil }
                let token = String(Substring(name))
                guard seen.insert(token).inserted else { return nil }
                offered.append(token)
            }
        }
        return offered
    }

    /// The fields of the handshake, gathered in one pass.
    private struct Fields {
        var hosts = 0
        var upgradesToWebSocket = false
        var connectionUpgrades = false
        var keys: [String] = []
        var versions: [String] = []
        var subprotocols: [String] = []
        var extensions: [String] = []

        init(_ headers: [(name: String, value: String)]) {
            for (name, value) in headers {
                // The lengths of the names all differ, so one comparison a field is enough.
                switch name.utf8.count {
                case 4 where HTTPListItem.equal(name.utf8, "host"):
                    hosts += HTTPListItem.trimmed(value.utf8[...]).isEmpty ? 0 : 1
                case 7 where HTTPListItem.equal(name.utf8, "upgrade"):
                    upgradesToWebSocket = upgradesToWebSocket || HTTPListItem.list(value, contains: "websocket")
                case 10 where HTTPListItem.equal(name.utf8, "connection"):
                    connectionUpgrades = connectionUpgrades || HTTPListItem.list(value, contains: "upgrade")
                case 17 where HTTPListItem.equal(name.utf8, "sec-websocket-key"):
                    keys.append(String(Substring(HTTPListItem.trimmed(value.utf8[...]))))
                case 21 where HTTPListItem.equal(name.utf8, "sec-websocket-version"):
                    versions.append(String(Substring(HTTPListItem.trimmed(value.utf8[...]))))
                case 22 where HTTPListItem.equal(name.utf8, "sec-websocket-protocol"):
                    subprotocols.append(value)
                case 24 where HTTPListItem.equal(name.utf8, "sec-websocket-extensions"):
                    extensions.append(value)
                default:
                    break
                }
            }
        }
    }
}
