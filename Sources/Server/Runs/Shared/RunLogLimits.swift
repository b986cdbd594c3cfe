/// The bounds of run logs in Redis, each with its reason.
enum RunLogLimits {
    /// How long what is appended to a log waits for more before it is written: a fast model's deltas become one entry, and a reader at
    /// another node sees them no later than a person notices.
    static let writePause = Duration.milliseconds(50)
    /// How often a log that moves is read at another node, and one in which nothing has happened for a while.
    static let readPause = Duration.milliseconds(25)
    static let readPauseMax = Duration.milliseconds(200)
    /// Bytes of one entry; a longer event has several. A reply with many of them stays well under the client's bound.
    static let partBytes = 16 << 10
    /// Text that one look into a run's own log takes, and all runs of one round: what is on its way to Redis at most.
    static let takeBytes = 64 << 10
    static let roundBytes = 2 << 20
    /// Commands of one round: half of what may wait on the connection, so that readers find room.
    static let roundCommands = 2_048
    /// What Redis keeps of one run: about 200,000 tokens. It shares its memory with the counters; the run's own node keeps more.
    static let logBytes = 1 << 20
    /// What an entry occupies beside its text.
    static let entryBytes = 64
    /// How long a log is kept after the run's end: longer than the owner keeps its own, so that whoever comes to another node finds no less.
    static let endedSeconds = 900
    /// How long a log whose owner says nothing is kept: longer than it takes to notice that the owner is gone, by far.
    static let silentSeconds = 3_600
    /// How often an owner says that a run still lives; the log of a flushed Redis has its head again after so long.
    static let announceInterval = Duration.seconds(30)
    /// Runs of this node whose log is written or waits for it: twice the live ones. Others are read at this node only.
    static let ownRunsMax = 20_000
    /// Runs of other nodes that are followed at once. The next reader is asked to come again.
    static let followedRunsMax = 4_096
    /// What the logs of followed runs hold each; more than Redis keeps.
    static let followedBytes = 2 << 20
    /// How long a followed run without readers is followed on: somebody who lost the connection comes back.
    static let followedAge = Duration.seconds(30)
    /// Entries of one run that one read takes, and runs of one read: with ``partBytes`` half of the longest reply.
    static let readEntries = 8
    static let readRuns = 32
    /// Entries of one read of what is there already.
    static let backlogEntries = 128
    /// How often it is asked whether a silent run is still known to Redis, and after how long without it its end is looked for elsewhere.
    static let headCheck = Duration.seconds(10)
    static let headPatience = Duration.seconds(90)
    /// How often a node says that it lives.
    static let beatInterval = Duration.seconds(5)
    /// How long a node may be silent: its leases have ended by then (30 s) and were reaped (5 s), so that nothing more of its runs can come.
    static let silence = Duration.seconds(35)
    /// How often a node looks whether another one asks for the end of a run, and how many orders wait at most.
    static let orderPause = Duration.milliseconds(100)
    static let ordersMax = 1_000
    static let orderSeconds = 60
    /// Runs that one order names.
    static let runsOfOrder = 256
    /// How often a node says which runs have readers there, and how long that holds: a run that stops without readers waits 5 s for its
    /// first one, and 30 s for one that comes back unless it is configured otherwise.
    static let readersInterval = Duration.seconds(2)
    static let seatAge = Duration.seconds(7)
    /// How long a node that ends tries to write what is left.
    static let farewell = Duration.seconds(2)
    /// Runs of a dead node that are ended at the same time: each asks the ledger and the conversations.
    static let burialsAtOnce = 8
}
