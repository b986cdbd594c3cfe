internal import Digest
internal import JSON

/// A record of an org's decision log as its chain sees it: the fields that are hashed, as they are kept.
///
/// The hash is SHA-256 over the canonical JSON (as RFC 8785) of all fields with `v`, `kind`, `org`, `seq` and `prev`; fields without a
/// value are left out. Made of a decision or an outcome, or of the columns of a store as they are, whatever they hold: a record that
/// somebody changed is to be hashed too.
public struct ChainRecord: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case decision, outcome }

    /// The hash before an org's first one: 32 zero bytes.
    public static let genesis = String(repeating: "0", count: 64)
    static let version: Int64 = 1

    public let org: OrgID
    public let seq: Int64
    public let kind: Kind
    private let fields: [Field]

    package init(org: OrgID, seq: Int64, kind: Kind, _ fields: [Field]) {
        self.org = org
        self.seq = seq
        self.kind = kind
        self.fields = fields
    }

    /// One column, by its name in JSON.
    package struct Field: Sendable, Hashable {
        let name: String
        let value: JSONValue?

        package init(_ name: String, text: String?) { (self.name, value) = (name, text.map(JSONValue.string)) }
        package init(_ name: String, number: Int64?) { (self.name, value) = (name, number.map(JSONValue.integer)) }
        /// What is no text although it should be: it equals no text.
        package init(_ name: String, bytes: [UInt8]) { (self.name, value) = (name, .bytes(bytes)) }
        /// What a decision is about. Calls have no such member: their hashes are as they were before there was anything else.
        package init(what kind: String) {
            self.init("what", text: kind.utf8.elementsEqual(ToolDecision.Kind.call.rawValue.utf8) ? nil : kind)
        }
        /// Words with one space between them, as stores keep them; no two texts give the same list.
        package init(_ name: String, words: String) {
            let words = words.isEmpty ? [] : words.split(separator: " ", omittingEmptySubsequences: false)
            (self.name, value) = (name, .array(words.map { .string(String($0)) }))
        }
    }

    /// When it was made (ms, UTC); nil where a store holds something else.
    public var at: Milliseconds? { fields.last { $0.name == "at" }?.value?.integerValue.map(Milliseconds.init) }

    /// In lower-case hexadecimal digits.
    ///
    /// - Parameter prev: the hash of the record before it, or ``genesis``.
    public func hash(after prev: String) -> String { Digest.hex(Digest.sha256(json(prev: prev, hash: nil).canonicalBytes)) }

    /// The canonical JSON as one line: without its member `hash` it is what was hashed. Both are nil for a record from before the chain.
    public func line(prev: String?, hash: String?) -> String {
        String(decoding: json(prev: prev, hash: hash).canonicalBytes, as: UTF8.self)
    }

    private func json(prev: String?, hash: String?) -> JSONValue {
        var pairs: [(String, JSONValue)] = [
            ("v", .integer(Self.version)), ("kind", .string(kind.rawValue)), ("org", .string(org.text)), ("seq", .integer(seq)),
        ]
        for field in fields { if let value = field.value { pairs.append((field.name, value)) } }
        if let prev { pairs.append(("prev", .string(prev))) }
        if let hash { pairs.append(("hash", .string(hash))) }
        return .object(JSONObject(pairs))
    }
}

extension ChainRecord {
    package init(_ decision: ToolDecision, seq: Int64) {
        self.init(
            org: decision.path.org, seq: seq, kind: .decision,
            [
                Field("id", text: decision.id), Field("project", text: decision.path.project), Field("user", text: decision.path.user),
                Field("key", text: decision.path.key), Field("run", text: decision.run), Field("call", text: decision.callID),
                Field("parent_call", text: decision.parentCallID), Field("source", text: decision.source.rawValue),
                Field("tool", text: decision.tool), Field("arguments_digest", text: decision.argumentsDigest),
                Field("arguments", text: decision.arguments), Field("decision", text: decision.decision.rawValue),
                Field("rule", text: decision.rule), Field("code", text: decision.code), Field("message", text: decision.message),
                Field("roles", words: decision.roles.joined(separator: " ")), Field("at", number: decision.at.rawValue),
                Field(what: decision.kind.rawValue), Field("conversation", text: decision.conversation),
                Field("subject", text: decision.subject), Field("approval", text: decision.approval),
                Field("details", text: decision.details),
            ])
    }

    package init(_ outcome: ToolOutcome, seq: Int64) {
        self.init(
            org: outcome.org, seq: seq, kind: .outcome,
            [
                Field("decision_id", text: outcome.decision), Field("status", text: outcome.status.rawValue),
                Field("code", text: outcome.code), Field("result_digest", text: outcome.resultDigest),
                Field("bytes", number: outcome.bytes), Field("elapsed", number: outcome.elapsed.rawValue),
                Field("at", number: outcome.at.rawValue),
            ])
    }
}

/// The end of an org's chain while records are put behind it. Pure: every store links by this.
package struct ChainTail: Sendable, Hashable {
    /// The number with which the chain begins.
    package let first: Int64
    package private(set) var seq: Int64
    package private(set) var hash: String

    package init(first: Int64, seq: Int64, hash: String) {
        self.first = first
        self.seq = seq
        self.hash = hash
    }

    /// Of an org that has no chain yet, and whose next number is this.
    package init(beginningAt seq: Int64) { self.init(first: seq, seq: seq - 1, hash: ChainRecord.genesis) }

    /// The hash of the next record.
    package mutating func link(_ record: ChainRecord) -> String {
        precondition(record.seq == seq + 1, "a record that does not follow")
        hash = record.hash(after: hash)
        seq = record.seq
        return hash
    }
}
