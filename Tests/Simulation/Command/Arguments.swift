import Simulation

#if canImport(Darwin)
internal import Darwin
#else
internal import Glibc
#endif

/// The command line of `simulate`.
struct Arguments {
    private var count: UInt64 = 1_000
    private var first: UInt64 = 0
    private(set) var profile: Profile?
    private(set) var defect: Defect?
    private(set) var tells = false
    private(set) var printsDigests = false

    var seeds: Range<UInt64> { first..<first + count }

    /// - Returns: false when something is not understood.
    mutating func read(_ words: ArraySlice<String>) -> Bool {
        var words = words
        while let word = words.popFirst() {
            switch word {
            case "--tell": tells = true
            case "--digests": printsDigests = true
            default:
                guard let value = words.popFirst(), take(word, value) else { return false }
            }
        }
        return true
    }

    private mutating func take(_ word: String, _ value: String) -> Bool {
        switch word {
        case "--seeds", "--from", "--seed":
            guard let number = UInt64(value), number < 1 << 62 else { return false }
            if word == "--seeds" { count = number } else { first = number }
            if word == "--seed" { count = 1 }
        case "--profile":
            profile = Profile.named(value)
            return profile != nil
        case "--defect":
            defect = Defect(rawValue: value)
            return defect != nil
        default: return false
        }
        return true
    }
}

func exitWith(_ code: Int32) -> Never { exit(code) }
