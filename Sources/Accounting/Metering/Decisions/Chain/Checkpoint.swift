internal import Digest
internal import JSON

/// A signed statement that an org's chain had so many records up to this one, of this hash.
public struct Checkpoint: Sendable, Hashable {
    public let org: OrgID
    /// The last record that it speaks of.
    public let seq: Int64
    /// Records of the chain up to it.
    public let count: Int64
    /// Of that record, in lower-case hexadecimal digits.
    public let hash: String
    /// When it was signed (ms, UTC).
    public let at: Milliseconds
    /// The ``AuditKey/id`` of the key that signed it.
    public let key: String
    /// 128 hexadecimal digits.
    public let signature: String

    package init(org: OrgID, seq: Int64, count: Int64, hash: String, at: Milliseconds, key: String, signature: String) {
        self.org = org
        self.seq = seq
        self.count = count
        self.hash = hash
        self.at = at
        self.key = key
        self.signature = signature
    }

    /// What is signed: canonical JSON, with a name that no other message of ours has.
    var message: [UInt8] { JSONValue.object(JSONObject(members)).canonicalBytes }

    private var members: [(String, JSONValue)] {
        [
            ("v", 1), ("kind", "kdcube.checkpoint"), ("org", .string(org.text)), ("seq", .integer(seq)), ("count", .integer(count)),
            ("hash", .string(hash)), ("at", .integer(at.rawValue)), ("key_id", .string(key)),
        ]
    }

    /// Whether the holder of this key has signed it.
    public func isSigned(by key: AuditKey) -> Bool {
        guard key.id == self.key, key.isGenuine, let signature = Digest.bytes(hex: signature),
            let publicKey = Digest.bytes(hex: key.publicKey)
        else { return false }
        return Ed25519.isValid(signature, of: message, by: publicKey)
    }

    /// For a file outside the database; with the public key it can be checked without one.
    public func line(_ key: AuditKey) -> String {
        let object = JSONObject(members + [("public_key", .string(key.publicKey)), ("signature", .string(signature))])
        return String(decoding: JSONValue.object(object).canonicalBytes, as: UTF8.self)
    }

    /// A line of a checkpoint file, and the key that it names; nil for what is none.
    public static func parse(line: [UInt8]) -> (checkpoint: Checkpoint, key: AuditKey)? {
        guard line.count <= ChainLimits.lineBytes, let json = try? JSONValue(strictlyParsing: line), json["v"]?.integerValue == 1,
            json["kind"]?.stringValue == "kdcube.checkpoint", let name = json["org"]?.stringValue, let org = try? OrgID(name),
            let seq = json["seq"]?.integerValue,
            let count = json["count"]?.integerValue, let hash = json["hash"]?.stringValue, let at = json["at"]?.integerValue,
            let key = json["key_id"]?.stringValue, let publicKey = json["public_key"]?.stringValue,
            let signature = json["signature"]?.stringValue
        else { return nil }
        return (
            Checkpoint(org: org, seq: seq, count: count, hash: hash, at: Milliseconds(at), key: key, signature: signature),
            AuditKey(id: key, publicKey: publicKey, at: Milliseconds(at))
        )
    }
}

/// The public half of a key that signs checkpoints.
public struct AuditKey: Sendable, Hashable {
    /// SHA-256 of the public key, in hexadecimal digits: nobody can give another key this name.
    public let id: String
    /// 64 hexadecimal digits.
    public let publicKey: String
    /// When it was first used (ms, UTC).
    public let at: Milliseconds

    package init(id: String, publicKey: String, at: Milliseconds) {
        self.id = id
        self.publicKey = publicKey
        self.at = at
    }

    /// Whether the id is that of the key.
    public var isGenuine: Bool { Digest.bytes(hex: publicKey).map { Digest.hex(Digest.sha256($0)) == id } ?? false }
}

/// Signs checkpoints with the key of an installation. Holds the secret; a value, safe to use from any task.
public struct CheckpointSigner: Sendable {
    public let key: AuditKey
    private let secret: Ed25519PrivateKey

    /// Nil when the seed is not 32 bytes, or when libcrypto has no Ed25519.
    public init?(seed: [UInt8], at: Milliseconds) {
        guard let secret = Ed25519PrivateKey(seed: seed) else { return nil }
        self.secret = secret
        key = AuditKey(
            id: Digest.hex(Digest.sha256(secret.publicKey)), publicKey: Digest.hex(secret.publicKey), at: at)
    }

    /// Nil when libcrypto does not sign.
    public func sign(_ head: ChainHead, at: Milliseconds) -> Checkpoint? {
        func checkpoint(_ signature: String) -> Checkpoint {
            Checkpoint(
                org: head.org, seq: head.seq, count: head.seq - head.first + 1, hash: head.hash, at: at, key: key.id, signature: signature)
        }
        return secret.sign(checkpoint("").message).map { checkpoint(Digest.hex($0)) }
    }
}
