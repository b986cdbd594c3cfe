/// Every maximum of Accounting, with its reason.
public enum AccountingLimits {
    /// Largest component of any amount and largest cap: 9.0 million dollars in nano-USD. Redis scripts compute in
    /// doubles, which are exact to 2^53 = 9.007 × 10^15 only (metering.md §5).
    public static let amountMax: Int64 = 9_000_000_000_000_000
    /// Digits of one run in a decimal text; a longer run is no price and no budget.
    static let decimalDigits = 64
    /// One dollar a token. The dearest model known is below a thousandth of that; above it a price was typed per
    /// million (metering.md §2, item 20).
    public static let pricePicoMax: Int64 = 1_000_000_000_000
    /// Models of one price table. LiteLLM's list has about 3,000.
    public static let priceModels = 50_000
    /// Price tiers of one model by the length of its prompt. Four is the most that is known.
    static let priceTiers = 16
    /// Bytes of one name in a tenancy path: an e-mail address or an identity provider's subject fits.
    public static let nameBytes = TenancyName.bytesMax
    /// Bytes of a time zone's name. The longest of the database has 30 (`America/Argentina/Buenos_Aires`).
    static let zoneNameBytes = 64
    /// Tokens of one class in one call that are believed: a thousand times the longest context on offer.
    static let promptTokensMax: Int64 = 1_000_000_000_000
    /// Output tokens of one run that may be asked for.
    static let outputTokensMax: Int64 = 100_000_000
    /// What is reserved for a run in mode H whose client and model name no maximum (metering.md §5).
    static let reservedOutputTokens: Int64 = 4_096
    /// Windows of one path: four scopes × (five units × six periods + runs) × (all models, the run's model) is 248; real
    /// paths have under ten, and each costs a read and a write in every grant.
    public static let windowsPerPath = 248
    /// Sizes offered in one request for a grant: 1024 halved down to 1 is eleven.
    public static let offers = 16
    /// How long the node may not be heard of before its lease is suspended (ms), default.
    public static let leaseTTL = Milliseconds(30_000)
    /// How long a call of a tool may be reserved before it goes into suspense (ms): more than the longest timeout of a tool. A call that is
    /// decided later is decided all the same.
    public static let callTTL = Milliseconds(120_000)
    /// How long past its end a lease is left alone before it is reaped: longer than any reply is under way (ms).
    public static let reapGrace = Milliseconds(5_000)
    /// How long a settled lease is remembered, so that a repeated settlement gets the same answer (ms).
    public static let settledLeaseRetention = Milliseconds(600_000)
    /// How long an ended window is kept for late settlements and for `usage` (ms): seven days.
    public static let windowRetention = Milliseconds(7 * 86_400_000)
    /// Grants up to this many tokens ignore the fair share. Smaller leaves less in slow streams' hands near a cap, larger
    /// asks the store less often there: 300 runs on a cap of 150,000 tokens take 17 calls a 1,000 tokens with 64, 21 with
    /// 32. What is left unused at the cap does not depend on it.
    public static let shareFloorTokens: Int64 = 64
    /// First slice of a stream, before its rate is known (tokens).
    public static let firstSliceTokens: Int64 = 64
    /// Bounds of a slice (tokens, and tokens for each of its seconds): metering.md §4.2, clamp(rate × 2 s, 32, 1024).
    static let sliceTokensMin: Int64 = 32
    static let sliceTokensPerSecond: Int64 = 512
    /// Seconds of streaming that one slice should last, by default.
    public static let sliceSeconds: Int64 = 2
    /// The most that may be set: a longer slice saves next to nothing beside the opening and the settlement of a run.
    public static let sliceSecondsMax: Int64 = 60
    /// How long before its end a node stops spending a lease (ms): covers a reply's way and a paused process.
    public static let leaseSkew = Milliseconds(2_000)
    /// Rounds of load and recompute in one admission before the store is called unavailable.
    package static let openAttempts = 6
    /// How long a stream or an admission waits for what the durable root holds back: rounds, and the pause between two (ms). Five
    /// seconds is more than every process needs to answer for its leases.
    public static let rootRounds = 50
    package static let rootPause = Milliseconds(100)
    /// How often a process looks whether a life of counters waits for its answer (ms).
    static let answerPause = Milliseconds(1_000)
    /// By how much a successor's command is ahead of the last one noted: more than a process can have sent without noting it.
    static let successorSteps: Int64 = 1_000
    /// How often in a row counters are told of a lease that they do not know: once for each loss that hits one step.
    static let remindersMax = 4
    /// Tries of one settlement within the run; afterwards the accountant's loop goes on with it.
    package static let settleAttempts = 4
    /// Pause before the first repeat of a failed store call (ms); doubles each time.
    package static let retryPause = Milliseconds(50)
    /// Settlements waiting for the store to come back. Beyond it they are left to the reaper, which suspends their
    /// holds: nothing is lost to the tenant's favour.
    public static let pendingSettlements = 100_000
    /// Sets of counters that an org may be split over: four times the masters of a large Redis Cluster. Whoever finds its slot empty near a
    /// cap asks all of them.
    public static let slots = 64
    /// How long a process may take to ask the other slots before another one may (ms): some calls to each of them, and to the root.
    package static let askSpan = Milliseconds(2_000)
    /// How long the root is not asked ahead of need for a window of which it had nothing more (ms). Whoever needs some asks at once.
    package static let drySpan = Milliseconds(1_000)
    /// How long it holds that nothing is left in any slot (ms): what is given back meanwhile is found by the next who asks.
    package static let shutSpan = Milliseconds(100)
    /// Windows of one scope and model that are looked at for leases that lack them. Thirty-seven of them are running at most (six
    /// units × six periods + runs); beyond it the ones that ended first are left out, which only evidence about a lease that was in
    /// suspense for long could still charge.
    static let lateWindows = 64
    /// How often a window is summed anew because something was committed meanwhile, each a tenth of a second after the first three:
    /// streams that lack it need it at their next refill, within seconds, and commit nothing until it is there.
    static let loadRounds = 50
    /// Windows of which a node remembers that the store has them.
    static let knownWindows = 50_000
}
