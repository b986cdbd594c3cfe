/// The name of a run: `run_` and 24 URL-safe characters (144 bits) from the system's CSPRNG, so that knowing one run
/// tells nothing about another.
public struct RunID: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    /// A new, unpredictable name.
    public init() { text = Identifier.random(prefix: "run_") }

    /// A name that came from outside; nil when it cannot be one of ours.
    public init?(_ text: String) {
        guard text.utf8.count == 28, text.hasPrefix("run_"), Identifier.isSafe(text) else { return nil }
        self.text = text
    }

    public var description: String { text }
}

/// The name of a conversation. Clients may bring their own.
public struct ConversationID: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    /// A new, unpredictable name.
    public init() { text = Identifier.random(prefix: "conv_") }

    /// A name that came from outside: 1 to 128 characters of `A-Z a-z 0-9 _ - . :`, else nil.
    public init?(_ text: String) {
        guard Identifier.isSafe(text) else { return nil }
        self.text = text
    }

    public var description: String { text }
}

/// The name of a turn, unique inside its conversation. Clients may bring their own.
public struct TurnID: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    /// A new, unpredictable name.
    public init() { text = Identifier.random(prefix: "turn_") }

    /// A name that came from outside: 1 to 128 characters of `A-Z a-z 0-9 _ - . :`, else nil.
    public init?(_ text: String) {
        guard Identifier.isSafe(text) else { return nil }
        self.text = text
    }

    public var description: String { text }
}

/// What every event of a run says about its origin.
public struct RunIdentity: Sendable, Hashable {
    public let run: RunID
    public let conversation: ConversationID
    public let turn: TurnID

    public init(run: RunID, conversation: ConversationID, turn: TurnID) {
        self.run = run
        self.conversation = conversation
        self.turn = turn
    }
}

/// Who acts: the tenancy path of one credential. The Server fills it from a verified credential, never from hints.
public struct Tenant: Sendable, Hashable {
    public let org: OrgID
    public let project: String
    /// Nil when the key is bound to no user.
    public let user: String?
    /// What the key spends from, not its secret; nil for a JWT.
    public let key: String?
    /// The key that was shown, where it is another one: a key that replaced another spends from the account of that.
    public let credential: String?

    public init(org: OrgID, project: String, user: String?, key: String?, credential: String? = nil) {
        self.org = org
        self.project = project
        self.user = user
        self.key = key
        self.credential = credential ?? key
    }

    /// Whether `other` may see and stop what this tenant started: the same user of the same project; where no user is
    /// known, the same key.
    public func owns(asSeenBy other: Tenant) -> Bool {
        guard org == other.org, project == other.project, user == other.user else { return false }
        return user != nil || key == other.key
    }
}

/// How names are made and checked.
enum Identifier {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".utf8)

    /// `prefix` and 24 characters. `SystemRandomNumberGenerator` reads getrandom(2), a CSPRNG.
    static func random(prefix: String) -> String {
        var generator = SystemRandomNumberGenerator()
        var bytes = Array(prefix.utf8)
        for _ in 0..<3 {
            var bits = generator.next()
            for _ in 0..<8 {
                bytes.append(alphabet[Int(bits & 63)])
                bits >>= 6
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// 1 to 128 characters that need no escaping in a URL, a log line or a header.
    static func isSafe(_ text: String) -> Bool {
        guard (1...EngineLimits.identifierBytesMax).contains(text.utf8.count) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"): true
            default: false
            }
        }
    }
}
