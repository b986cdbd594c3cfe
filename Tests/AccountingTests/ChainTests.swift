import Accounting
import Testing

/// The bytes and signatures are those of other programs (Python's `json` and `hashlib`, the `openssl` command).
@Suite("Chain of decisions: bytes, walk and checkpoints")
struct ChainTests {
    static let seed = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")

    static func bytes(_ hex: String) -> [UInt8] {
        stride(from: 0, to: hex.utf8.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
    }

    static func signer() throws -> CheckpointSigner { try #require(CheckpointSigner(seed: seed, at: ManualClock.monday)) }

    private let decision = Result {
        try ToolDecision(
            id: "d-1", path: TenancyPath(org: "acme", project: "web", user: "ann", key: "k1"), run: "r1", callID: "c/1", source: .model,
            tool: "refund€", argumentsDigest: DecisionContract.hex, arguments: #"{"a":1}"#, decision: .deny, rule: "tool.roles",
            code: "denied", message: "Not \"this\"\nway.", roles: ["support", "de:lead"], at: Milliseconds(1_795_435_200_000))
    }
    private let outcome = Result {
        try ToolOutcome(
            org: "acme", decision: "d-1", status: .timeout, bytes: 5, elapsed: Milliseconds(7), at: Milliseconds(1_795_435_200_007))
    }
    /// The hash of a decision that is the first of its org.
    static let first = "2174db554740db187d394cfb7fdb22456d7617b36cd5d3006667db41b2fd6c82"
    private let hashes = [
        ChainTests.first,
        "6f1743b5080f146200b32b3cd7d6d3d7d8de977b0db0f928c8d50e615408f2c2",
    ]

    @Test("a record's hash is what another program computes from the same fields")
    func golden() throws {
        var tail = ChainTail(beginningAt: 1)
        #expect(tail.link(ChainRecord(try decision.get(), seq: 1)) == hashes[0])
        #expect(tail.link(ChainRecord(try outcome.get(), seq: 2)) == hashes[1])
        let line = ChainRecord(try outcome.get(), seq: 2).line(prev: hashes[0], hash: hashes[1])
        #expect(
            line
                == #"{"at":1795435200007,"bytes":5,"decision_id":"d-1","elapsed":7,"hash":"\#(hashes[1])","kind":"outcome","org":"acme","prev":"\#(hashes[0])","seq":2,"status":"timeout","v":1}"#
        )
    }

    @Test("what is no call has members of its own, and a call's hash is as it was before there were any")
    func goldenOfOtherKinds() throws {
        let record = try ToolDecision(
            id: "d-2", path: TenancyPath(org: "acme", project: "-"), run: "", callID: "", source: .operator, tool: "refund",
            argumentsDigest: "", arguments: nil, decision: .deny, at: Milliseconds(1_795_435_200_000), kind: .kill, conversation: "c1",
            subject: "4\n2", approval: "apr_1", details: #"{"a":1}"#)
        #expect(
            ChainRecord(record, seq: 3).hash(after: hashes[1])
                == "9b1257b63b8ec3bd8adacb28a60a8f55065372c3a6ec291bc7c61d0c2de25edb")
        #expect(!ChainRecord(try decision.get(), seq: 1).line(prev: nil, hash: nil).contains("what"))
    }

    @Test("a checkpoint's signature is what another program makes with the same key, and nothing of it can be changed")
    func signature() throws {
        let signer = try Self.signer()
        #expect(signer.key.publicKey == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        let head = ChainHead(org: "acme", first: 1, seq: 2, hash: hashes[1], signed: 0)
        let checkpoint = try #require(signer.sign(head, at: Milliseconds(1_795_435_200_100)))
        #expect(
            checkpoint.signature
                == "01e1a16588459b1fb665a6b3ae27cdc8c32ca1b27a9e162d8172b7b14f6438c619e7922e8b1ca8a1e50c26f7bd2c8d9ea669e5669a787dfa0b84342efee4ea08"
        )
        #expect(checkpoint.isSigned(by: signer.key))
        let line = Array(checkpoint.line(signer.key).utf8)
        let parsed = try #require(Checkpoint.parse(line: line))
        #expect(parsed.checkpoint == checkpoint && parsed.key.id == signer.key.id && parsed.checkpoint.isSigned(by: parsed.key))
        for index in line.indices {
            var changed = line
            changed[index] ^= 1
            guard let forged = Checkpoint.parse(line: changed) else { continue }
            #expect(!forged.checkpoint.isSigned(by: forged.key), "byte \(index)")
        }
        for junk in ["", "{}", "[1]", "nonsense", String(repeating: "[", count: 5_000)] {
            #expect(Checkpoint.parse(line: Array(junk.utf8)) == nil)
        }
        #expect(CheckpointSigner(seed: [1, 2], at: ManualClock.monday) == nil)
        let other = try #require(CheckpointSigner(seed: Array(repeating: 7, count: 32), at: ManualClock.monday))
        #expect(!checkpoint.isSigned(by: other.key))
        #expect(!checkpoint.isSigned(by: AuditKey(id: signer.key.id, publicKey: other.key.publicKey, at: ManualClock.monday)))
    }

    private func walk(_ entries: [ChainEntry], first: Int64? = 1, last: Int64 = 2) -> ChainReport {
        var walk = ChainWalk(ChainExtent(org: "acme", first: first, last: last))
        walk.take(entries, under: 1...last)
        return walk.report
    }

    @Test("a walk names the first number at which something is wrong")
    func faults() throws {
        let (one, two) = (ChainRecord(try decision.get(), seq: 1), ChainRecord(try outcome.get(), seq: 2))
        let good = [ChainEntry(seq: 1, record: one, hash: hashes[0]), ChainEntry(seq: 2, record: two, hash: hashes[1], decisionSeq: 1)]
        #expect(walk(good).fault == nil && walk(good).records == 2)
        func fault(_ index: Int, _ entry: ChainEntry?) -> ChainFault? {
            var entries = good
            if let entry { entries[index] = entry } else { entries.remove(at: index) }
            return walk(entries).fault
        }
        #expect(fault(0, nil) == ChainFault(seq: 1, .missing) && fault(1, nil) == ChainFault(seq: 2, .missing))
        #expect(fault(1, ChainEntry(seq: 2, record: nil, hash: hashes[1])) == ChainFault(seq: 2, .missing))
        #expect(fault(0, ChainEntry(seq: 1, record: one, hash: nil)) == ChainFault(seq: 1, .unchained))
        #expect(fault(0, ChainEntry(seq: 1, record: one, hash: hashes[1])) == ChainFault(seq: 1, .changed))
        #expect(fault(1, ChainEntry(seq: 2, record: two, hash: hashes[1])) == ChainFault(seq: 2, .outcomeOfNothing))
        #expect(fault(1, ChainEntry(seq: 2, record: two, hash: hashes[1], decisionSeq: 2)) == ChainFault(seq: 2, .outcomeOfNothing))
        #expect(
            fault(1, ChainEntry(seq: 2, record: two, hash: hashes[1], decisionSeq: 1, isDouble: true)) == ChainFault(seq: 2, .double))
        #expect(walk(good, first: nil).unchained == 2)
    }

    @Test("no two lists of words, and no text beside bytes, have one hash")
    func injective() {
        let fields: [ChainRecord.Field] =
            ["", " ", "a b", "a  b", "a b ", "ab"].map { ChainRecord.Field("x", words: $0) } + [
                ChainRecord.Field("x", text: nil), ChainRecord.Field("x", text: ""), ChainRecord.Field("x", text: "ab"),
                ChainRecord.Field("x", bytes: [0xAB]), ChainRecord.Field("x", text: "a\u{0}b"), ChainRecord.Field("x", number: 0),
                ChainRecord.Field("x", text: "0"), ChainRecord.Field("x", text: "\u{E9}"), ChainRecord.Field("x", text: "e\u{301}"),
                ChainRecord.Field("y", text: "ab"),
            ]
        let hashes = fields.map { ChainRecord(org: "acme", seq: 1, kind: .decision, [$0]).hash(after: ChainRecord.genesis) }
        #expect(Set(hashes).count == fields.count)
    }
}
