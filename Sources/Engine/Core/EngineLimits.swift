/// The bounds of the engine. Sizes in bytes, times as `Duration`; each with its reason and what happens there.
public struct EngineLimits: Sendable, Hashable {
    /// A conversation's or turn's name from outside. Longer than any UUID or ULID with a prefix, short enough to index.
    public static let identifierBytesMax = 128
    /// Tool calls in one answer. Models emit a handful; more ends the run as an upstream error.
    public static let toolCallsMax = 128
    /// Argument text of one tool call. A file's worth of code fits; more ends the run as an upstream error.
    public static let toolArgumentBytesMax = 256 << 10
    /// Deltas handed on before the run yields its thread, so that a model that never waits cannot starve its
    /// neighbours: about a quarter of a millisecond of work.
    public static let deltasPerSlice = 256

    /// Output that is reserved where neither the client nor the configuration names a limit (metering.md §5).
    public static let reservedOutputTokens = 4_096
    /// A reservation that may be lowered is lowered to this and no further: an answer of a few words is of no use.
    public static let reservedOutputTokensMin = 16

    /// Physical calls of one round of a run, whatever its policy says: a run is no way to flood upstreams.
    public static let attemptsMax = 8
    /// How long a run that stops without readers waits for its first one, at least: a client's second request is under way.
    public static let firstReaderGrace: Duration = .seconds(5)

    /// Progress of a tool call is joined for this long: a reader sees it live, and the log has 20 steps a second at most.
    public static let toolProgressInterval: Duration = .milliseconds(50)
    /// How long a tool that was stopped is waited for. Killing a sandbox takes milliseconds; what takes longer is left behind, and
    /// its call ends with an error.
    public static let toolStopGrace: Duration = .seconds(5)
    /// Approval events of one call that wait for a person. Code that asks for more is answered by nobody.
    public static let toolApprovalsPerCallMax = 64

    /// Live runs of this process. At about 20 KiB each without text they stay under 200 MiB; the next start is refused.
    public var runsMax = 10_000
    /// What one run's log may hold (text, marks and events; the terminal event is not counted, so that it always
    /// fits). About 800,000 tokens; beyond it the oldest go and a late reader is told of the gap.
    public var logBytesMax = 4 << 20
    /// All text that one run may produce. Also bounds `final_answer`. At the limit the run ends with reason `length`.
    public var textBytesMax = 16 << 20
    /// Subscribers of one run: tabs, transports and observers. The next one is refused.
    public var subscribersMax = 1_024
    /// Logs of finished runs kept for late readers: so many, so many bytes, and so long. The oldest go first.
    public var finishedRunsMax = 4_096
    public var finishedBytesMax = 64 << 20
    public var finishedAge: Duration = .seconds(600)
    /// Past turns sent along with a new message: the newest that fit in both.
    public var historyTurnsMax = 64
    public var historyBytesMax = 256 << 10
    /// While a run streams, `chat.usage` comes at most this often, and at a warning threshold.
    public var usageInterval: Duration = .seconds(1)
    /// How often the report is read in search of a crossed warning threshold; a warning may be late by this much.
    public var warningInterval: Duration = .milliseconds(100)
    /// How long a drain waits for readers that have not read a run to its end.
    public var farewell: Duration = .seconds(2)

    /// Answers of one run: agents that get anywhere need a handful. The calls of the last one are skipped, and the run completes with
    /// finish reason `tool_limit`.
    public var toolRoundsMax = 16
    /// Calls of one answer that are made, all at the same time. Those beyond it are not; the model reads so.
    public var toolCallsPerAnswerMax = 16
    /// Calls of one run that are made. An answer that would pass it has its calls skipped, and the run completes with `tool_limit`.
    public var toolCallsPerRunMax = 128
    /// How long the tools of one run may work. Then they are stopped, and the run completes with `tool_limit`.
    public var toolTimeMax: Duration = .seconds(600)
    /// How long a run waits for approvals. An approval's own time is the policy's; this is for one that never ends. The same happens.
    public var approvalTimeMax: Duration = .seconds(86_400)
    /// What the model reads of one result: more than it can use. A longer one is cut, and says so.
    public var toolResultBytesMax = 64 << 10
    /// What the model reads of all results of one run, again in every round. Once it is reached the run completes with `tool_limit`.
    public var toolResultsBytesMax = 1 << 20
    /// What the progress of one tool call, and of all of one run, may occupy in the log, so that the text stays in it. At the first that
    /// does not fit, a step says `truncated` and the rest of that call's progress is dropped.
    public var toolProgressBytesMax = 256 << 10
    public var toolProgressBytesPerRunMax = 1 << 20
    /// The data of one step of a tool call. Members that make it longer are left out, the largest first, and named in `omitted`.
    public var toolStepBytesMax = 64 << 10

    public init() {}
}
