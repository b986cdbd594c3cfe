import Accounting

/// All that a seed decides before its world starts: who is there, what they want and what will go wrong.
struct Plan: Sendable {
    enum Usage: Sendable {
        /// The upstream reports what it sent.
        case exact
        /// It reports nothing.
        case silent
        /// It reports this many tokens above or below.
        case more(Int64), less(Int64)
    }

    enum Interruption: Sendable {
        /// The client goes away: noticed at the next token, by cancelling the task, or by a settlement from another task.
        case disconnect, cancel, settle
        /// An operator kills the run.
        case kill
    }

    struct Run: Sendable {
        let name: String
        let path: TenancyPath
        let seat: Int
        let model: Int
        let start: Int64
        let prompt: PromptTokens
        let promptTokens: Int64
        let maxOutput: Int64?
        let isReserved: Bool
        let wish: Int64
        let batch: ClosedRange<Int64>
        let gap: ClosedRange<Int64>
        /// A tool call or an approval: the stream waits that long after so many tokens.
        let wait: (after: Int64, for: Int64)?
        let usage: Usage
        let interruption: (kind: Interruption, after: Int64)?
    }

    enum Fault: Sendable {
        /// A process dies, with the memory of its machine or without.
        case crash(seat: Int, back: Int64, keepsBoard: Bool), pause(seat: Int, for: Int64)
        case clockJump(seat: Int, by: Int64), storeClockJump(by: Int64)
        case storeOutage(for: Int64), ledgerOutage(for: Int64), directoryOutage(seat: Int, for: Int64)
        /// The store comes back as it was so many commands ago, or empty.
        case storeLoss(back: Int64?)
        /// An operator has the counters made anew from the ledger.
        case rebuild
        case cap(index: Int, permille: Int64), add(Budget), remove(index: Int, back: Int64?)
    }

    struct Model: Sendable {
        let name: String
        let input: Int64
        let output: Int64
    }

    /// Prices in pico-USD a token; the first is cheap enough that rounding matters.
    static let models = [Model(name: "cheap", input: 151, output: 607), Model(name: "dear", input: 3_000_001, output: 15_000_007)]

    var start: Int64
    var ttl: Int64
    var seats: Int
    /// Clock of each seat and of the store against true time (ms), and how fast each seat's runs (parts in a million).
    var offsets: [Int64] = []
    var drifts: [Int64] = []
    var storeOffset: Int64 = 0
    var budgets: [Budget] = []
    var runs: [Run] = []
    /// By when they happen, after the start.
    var faults: [(at: Int64, fault: Fault)] = []
    /// From then on nothing fails any more (ms after the start).
    var healsAt: Int64
    var callTimeout: Int64
    /// The counters may lose data, so that a durable root releases each cap to them.
    var isRooted = false
    /// Over how many sets of counters each org is split; 0 for none.
    var slots = 0
    /// How late a process notices that the store's data are others.
    var reconnect: ClosedRange<Int64> = 0...0
    /// How late a node learns of changed budgets.
    var directoryLag: ClosedRange<Int64> = 0...0

    /// Where a run is counted.
    func slot(of run: Run) -> Int { CounterSlot(org: run.path.org, of: slots, user: run.path.user, run: run.name).index }

    var longestRun: Int64 {
        runs.map { $0.start + ($0.wish / $0.batch.lowerBound + 1) * ($0.gap.upperBound + 1) + ($0.wait?.for ?? 0) }.max() ?? 0
    }
}
