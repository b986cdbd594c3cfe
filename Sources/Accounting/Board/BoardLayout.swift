internal import Accounting

/// How a board lies in its file: a head, then slots of one size. Numbers are little-endian.
///
///     head   0 magic · 8 checksum of the rest · 16 length of the rest · 24 boot id, node, fence
///            2048 leases that found no room (a count)
///     slot   0 used (1) or free (0) · 8 checksum of the record · 16 length of the record
///            24 progress, twice: number · words · checksum · 512 the record
///
/// Progress is written to both places in turn, with a number that grows: what a kill leaves half written has a wrong checksum, and the
/// other place still holds what came before.
enum BoardLayout {
    static let magic: UInt64 = 0x3144_5241_4f42_444b  // "KDBOARD1"
    static let headBytes = 4_096
    static let unpostedOffset = 2_048
    /// A path of a dozen windows with long names fits; a live stream costs this much of the page cache.
    static let slotBytes = 2_048
    static let recordOffset = 512
    static let recordBytesMax = slotBytes - recordOffset
    static let progressOffset = 24
    static let progressWords = 15
    /// Number, words, checksum.
    static let progressBytes = (progressWords + 2) * 8
    /// Slots are made in groups, so that a board is as large as its process was busy.
    static let groupSlots = 128
    static let groupBytes = groupSlots * slotBytes
    /// Groups of one board: 65,536 live leases are more than one process streams.
    static let groupsMax = 512
    static let fileBytesMax = headBytes + groupsMax * groupBytes

    /// FNV-1a, 64 bits: finds halves, not forgeries.
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// The same for words, eight octets at a time.
    static func checksum(number: UInt64, words: (Int) -> Int64) -> UInt64 {
        var sum = (0xcbf2_9ce4_8422_2325 ^ number) &* 0x100_0000_01b3
        for index in 0..<progressWords {
            sum = (sum ^ UInt64(bitPattern: words(index))) &* 0x100_0000_01b3
            sum ^= sum >> 29
        }
        return sum
    }
}

/// Why a board cannot be read.
public enum BoardError: Error, Sendable, Hashable {
    /// Not a board, or one of another version.
    case notABoard
    /// A record that no board has written.
    case malformed(slot: Int)
}

extension LeaseProgress {
    func word(_ index: Int) -> Int64 {
        switch index {
        case 0: sequence
        case 1: granted.nanoUSD
        case 2: granted.tokens
        case 3: granted.requests
        case 4: granted.inputTokens
        case 5: granted.outputTokens
        // A lease has at most one place and one call: they share a word, so that boards of earlier releases are read as they are.
        case 6: granted.runs | granted.calls << 32
        case 7: spent.nanoUSD
        case 8: spent.usage.inputFresh
        case 9: spent.usage.inputCacheRead
        case 10: spent.usage.inputCacheWrite
        case 11: spent.usage.outputVisible
        case 12: spent.usage.outputReasoning
        case 13: spent.requests
        default: (spent.estimated ? 1 : 0) | spent.calls << 32
        }
    }

    init(words: [Int64]) {
        self.init(
            sequence: words[0],
            granted: Amounts(
                nanoUSD: words[1], tokens: words[2], requests: words[3], inputTokens: words[4], outputTokens: words[5],
                runs: words[6] & 0xFFFF_FFFF, calls: words[6] >> 32),
            spent: Spent(
                nanoUSD: words[7],
                usage: UsageClasses(
                    inputFresh: words[8], inputCacheRead: words[9], inputCacheWrite: words[10], outputVisible: words[11],
                    outputReasoning: words[12]),
                requests: words[13], calls: words[14] >> 32, estimated: words[14] & 1 == 1))
    }
}
