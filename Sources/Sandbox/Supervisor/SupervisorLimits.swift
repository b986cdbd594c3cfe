/// Every bound of the supervisor, and where its number comes from.
public enum SupervisorLimits {
    /// Contract §5.
    public static let toolNameBytesMax = 64
    /// A name that is no tool's, escaped, in a record or a message.
    static let shownNameBytesMax = 96
    /// RFC 1035 §2.3.4.
    static let hostBytesMax = 253

    /// Tools of one catalog. A model that is offered more than a few dozen chooses badly; the rest is room for roles.
    public static let toolsMax = 256
    /// A tool's description: a page.
    public static let descriptionBytesMax = 4_096
    /// Nano-USD; a million dollars, above which a price is a mistake.
    static let costMax: Int64 = 1_000_000_000_000_000
    /// Entries of a list in the catalog: roles, hosts, headers, words of a command.
    static let listMax = 64
    /// A header's value, an environment variable, a word of a command: a signed token fits.
    static let secretBytesMax = 8_192

    /// How deep the schema of arguments may nest, and with it the arguments.
    public static let schemaDepthMax = 16
    /// Schemas within one tool's schema; what a person can still review.
    public static let schemaNodesMax = 512
    /// Values of one `enum`.
    public static let enumMax = 256

    /// The template of a text that says whose it is: an address and a few places.
    static let tenantTemplateBytesMax = 512

    /// The text of one call's arguments: half of a channel's frame.
    public static let argumentBytesMax = 512 * 1_024
    /// Nesting and nodes of arguments, as the channel's frames.
    public static let argumentDepthMax = 32
    public static let argumentNodesMax = 10_000

    public static let idempotencyKeyBytesMax = 128
    /// An outcome that is kept for a repeated call; a larger one is not kept, and the repeated call is told that it is unknown.
    public static let storedOutcomeBytesMax = 256 * 1_024
    /// How often a call that another process makes is asked after.
    static let inFlightPollInterval = Duration.milliseconds(250)

    /// Calls of one session that decisions look back at: a conversation with more of them is no conversation. 2,000 steps make a context of
    /// a few hundred kilobytes.
    public static let sessionCallsMax = 2_000

    /// Calls in flight of one source: of a run's model, or of one job's code. What threads in the executor can use on one core.
    public static let callsPerSource = 16
    /// Calls in flight of the whole server, abandoned ones included. Each may hold its arguments and its result in memory: 1.3 GiB
    /// if all had the largest, a few megabytes at usual sizes.
    public static let callsInFlight = 512

    /// How long a tool may take unless the catalog says otherwise, and what the catalog may say. The longest is that of a job's tool waits.
    public static let timeoutDefault = Duration.seconds(30)
    public static let timeoutMax = Duration.seconds(600)
    /// How long a cancelled tool may take to stop before it is abandoned: the grace that the executor gives a stopped job.
    public static let cancellationGrace = Duration.seconds(2)
    /// A decision older than this, when the call is about to be made, is made again.
    public static let decisionAgeMax = Duration.milliseconds(100)

    /// A result's bytes unless the catalog says otherwise: 16,000 tokens of a model's context, roughly.
    public static let outputBytesDefault = 64 * 1_024
    /// A result has to fit a frame to the executor, 4 MiB, beside its envelope.
    public static let outputBytesMax = 2 * 1_024 * 1_024
    /// A failure's message, which the model reads.
    public static let messageBytesMax = 2_048

    /// Of a job of code: stdout, stderr and the value, 1 MiB each, as JSON in which each byte may be six.
    static let codeOutputBytes = 18 * 1_024 * 1_024

    /// The arguments' text in a decision record; longer ones are told by their digest alone.
    public static let recordedArgumentsBytesMax = 16 * 1_024
    /// Paths of redacted arguments in a decision record; more of them are redacted without being named.
    static let redactedPathsMax = 64
    /// What a decision rests on, in its record; beyond it the inputs are left out.
    public static let recordedDetailsBytesMax = 32 * 1_024
    /// Refusals of a name whose records are still being written. Each run asks for one name at a time.
    static let pendingRecordsMax = 1_024

    /// Pending approvals of one run: what its model may call at once.
    public static let approvalsPerRun = 16
    /// Pending approvals of one org; more than people can answer in a day.
    public static let approvalsPerOrg = 1_000
    /// Open approvals of one question that are looked at; calls of one run at once make them.
    public static let approvalsOpenMax = 16
    /// The arguments' text on an approval's card: what a person can still read. A call with more of them cannot be agreed to.
    public static let approvalArgumentsBytesMax = 64 * 1_024
    /// How often a call asks: once, and once more when the policies ask for others by then.
    static let approvalAsksMax = 2
    /// What an approver writes: a few sentences.
    public static let approvalReasonBytesMax = 500
    /// Votes of one approval: the highest quorum, as many agents, and one deny.
    public static let approvalVotesMax = 32
    /// How often the store is asked for decisions that were made at other servers.
    static let approvalPollInterval = Duration.milliseconds(500)
    /// How often, and for how long, a call says that it waits. Two lost beats are no end.
    static let approvalBeatInterval = Duration.seconds(10)
    static let approvalWaitLease = Duration.seconds(30)
    /// How often a change is tried when others change the same approval.
    static let approvalReplaceTries = 16
    /// Approvals that one step of the sweeper takes.
    public static let approvalsDueMax = 256
    /// Who was denied the same call this often within the time is not asked for again.
    static let approvalDenialsMax = 2
    static let approvalDenialsTime = Duration.seconds(600)
}
