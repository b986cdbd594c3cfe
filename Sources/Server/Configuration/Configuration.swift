internal import Accounting
internal import Engine
internal import Executor
internal import Glibc
internal import Logging
internal import Traces
internal import TransportRedis

/// All settings of a process after they were read and checked: immutable from then on.
///
/// Keys, defaults and precedence: `docs/operations.md`. Reading is in `Configuration+Load.swift`.
struct Configuration: Sendable, Hashable {
    struct Server: Sendable, Hashable {
        var host = "127.0.0.1"
        var port = 8000
        /// Origins that browsers may call from, besides the server's own; `*` allows any.
        var origins: [String] = []
        /// How long a graceful shutdown lets live runs go on.
        var grace = Duration.seconds(20)
        /// How long it takes for letting the realtime clients go, at most, and how many of them it lets go a second.
        var drain = Duration.seconds(10)
        var drainRate = 500
        /// What becomes of a run that nobody reads any more, and how long it waits for somebody to come back.
        var onDisconnect = DisconnectPolicy.drain
        var disconnectGrace = Duration.seconds(30)
        /// Where the chat page and the third-party browser files are.
        var webClient = "web-client"
        /// Nil: plain HTTP, for a proxy in front or for one machine alone.
        var tls: TLS?
        /// `host:port` where the other servers of a cluster reach this one; empty: as it listens.
        var advertise = ""
        /// Proxies whose `X-Forwarded-For` says who a client is: addresses and blocks of them. None: it is not believed.
        var trustedProxies: [String] = []

        var scheme: String { tls == nil ? "http" : "https" }
    }

    /// Files in PEM, which are followed: a renewed certificate is taken without a restart.
    struct TLS: Sendable, Hashable {
        /// The server's certificate, and after it those that signed it.
        var certificate: String
        var key: String
        /// Authorities that sign the certificates of the other servers of a cluster; empty: all servers show this certificate.
        var peerRoots = ""

        init(certificate: String, key: String) { (self.certificate, self.key) = (certificate, key) }
    }

    struct Stores: Sendable, Hashable {
        var data = "./data"
        /// Empty: embedded counters.
        var redis = ""
        /// Empty: ledger, keys, budgets and conversations are in the data directory.
        var postgres = ""
    }

    struct Model: Sendable, Hashable {
        enum Provider: String, Sendable, CaseIterable { case scripted, openai, anthropic }

        var id: String
        var provider: Provider
        var baseURL = ""
        var apiKey = ""
        /// The model's name upstream; empty: same as `id`.
        var upstreamModel = ""
        var connectTimeout = Duration.seconds(10)
        var firstByteTimeout = Duration.seconds(60)
        var idleTimeout = Duration.seconds(30)
        var callTimeout = Duration.seconds(600)
        /// Nil: slices, unless a rule demands a reservation (``metering``).
        var meteringMode: MeteringMode?
        var reasoning: ModelMetering.Reasoning?
        var billsAfterCancel = false
        /// False: the upstream is asked for the whole answer at once.
        var upstreamStreams = true
        /// 0: not known.
        var maxOutputTokens = 0
        /// Tokens that the upstream's template adds to every prompt, at most.
        var promptOverhead = 96
        /// Nil: by the model's kind.
        var outputLimit: OutputLimit?
        var retry = RetryPolicy()
        /// Nil: the server's.
        var onDisconnect: DisconnectPolicy?

        enum OutputLimit: String, Sendable, CaseIterable {
            case maxTokens = "max_tokens"
            case maxCompletionTokens = "max_completion_tokens"
        }
    }

    struct BudgetSetting: Sendable, Hashable {
        var scope: String
        /// Empty for all models.
        var model = ""
        /// Empty for all tools, where the unit counts tools.
        var tool = ""
        var unit: String
        var window: String
        /// Empty for UTC.
        var zone = ""
        var limit: String
        var setting: String
    }

    struct Accounting: Sendable, Hashable {
        /// Over how many sets of counters an org is split; one that is not named is not split.
        var slots: [OrgID: Int] = [:]
        /// How long a slice of tokens lasts at its stream's speed.
        var slice = Duration.seconds(AccountingLimits.sliceSeconds)
    }

    struct Transport: Sendable, Hashable {
        var pingInterval = Duration.seconds(25)
        var pingTimeout = Duration.seconds(20)
        var maxMessage = 1_000_000
        var queue = 1 << 20
        /// Compresses polling answers, documents and the web client's files for clients that accept it.
        var httpCompression = true
        /// Compresses messages of WebSockets whose clients offer it.
        var deflate = false
        /// Serves clients of Engine.IO 3 and Socket.IO 2 too.
        var allowEIO3 = false
        /// Joins the servers on `stores.redis` to one Socket.IO cluster.
        var cluster = false
        /// What the names of the cluster's channels begin with.
        var clusterKey = "socket.io"
        /// Where python-socketio's managers publish; empty: it is not listened to.
        var clusterPythonChannel = "socketio"
        /// Entries that Redis keeps, roughly, for clients that come back, where both `cluster` and `recovery` are on.
        var clusterStreamEvents = StreamLimits.entriesMax
        /// How long a client that has lost its connection finds its socket again; nil: not at all.
        var recovery: Duration?
        var rateLimits = RateLimits()
        /// How long a session lives at most; nil: as long as its client likes.
        var connectionLifetime: Duration?
    }

    struct Tools: Sendable, Hashable {
        enum Publishing: String, Sendable, CaseIterable {
            /// An operator may make and change tools over HTTP, but for what runs a program here or reaches inside our networks.
            case file
            /// Whatever the file could say by hand.
            case all
            case off
        }

        /// The catalog of the server's own tools; empty: there are none.
        var file = ""
        /// Whether an operator may change the file over HTTP.
        var publish = Publishing.file
        /// Variables of the environment that a tool which was published over HTTP may name in its headers.
        var variables: Set<String> = []
        /// What a denied call means for its run, unless the request says otherwise.
        var onDeny = RunRequest.DenyPolicy.feedBack
    }

    struct Audit: Sendable, Hashable {
        /// Where every checkpoint of the decision log is written as well; empty: nowhere.
        var checkpoints = ""
        /// Whether tools that change nothing may be called while the decision log cannot be written.
        var readsWithoutLog = false
    }

    struct Policies: Sendable, Hashable {
        enum Mode: String, Sendable, CaseIterable {
            case enforce
            /// Policies are evaluated and recorded, and change nothing.
            case shadow
        }

        enum Publishing: String, Sendable, CaseIterable { case directory, off }

        /// The `.cedar` files and their tests; empty: there are none, and the roles of `tools.yaml` decide alone.
        var directory = ""
        var mode = Mode.enforce
        /// Whether an operator may change the directory over HTTP.
        var publish = Publishing.directory
        /// A set that is tried beside the one in force; empty: none.
        var candidate = ""
    }

    struct Approvals: Sendable, Hashable {
        /// An address that is told of each approval and its changes; empty: none.
        var webhook = ""
        /// Signs what is sent there.
        var webhookSecret = ""
    }

    /// Where traces go.
    struct Telemetry: Sendable, Hashable {
        /// The collector's OTLP/HTTP endpoint, such as `http://127.0.0.1:4318`; empty: nothing is traced.
        var otlp = ""
        /// Sent with every batch: what the collector knows us by.
        var headers: [String: String] = [:]
        /// Which share of the traces that begin here is recorded. Those that a caller has begun follow the caller, unless it is 0.
        var sample = 1.0
        /// Spans that wait for the collector at most; those beyond it are dropped and counted.
        var queue = TraceLimits.queue
        /// `service.name` of what is sent.
        var service = "kdcube"
    }

    struct Sandbox: Sendable, Hashable {
        /// What becomes of a run whose code was killed.
        enum KillPolicy: String, Sendable, CaseIterable {
            /// The model reads the exit and goes on.
            case feedBack = "feed_back"
            /// The run completes with finish reason `code_killed`.
            case endRun = "end_run"
        }

        /// Sandboxes of all servers of a machine; each knows its own. Other users must be able to pass through to it, which they cannot
        /// through a data directory.
        var executor = SandboxSettings(directory: Self.directory)
        var onKill = KillPolicy.feedBack

        /// A user who is not root may not write to `/run`, and has no uids to give away: only a level below full is reached so.
        private static var directory: String {
            geteuid() == 0 ? "/run/kdcube-sandboxes" : "/tmp/kdcube-sandboxes-\(geteuid())"
        }
    }

    var server = Server()
    var stores = Stores()
    var models: [Model] = []
    /// A price file in LiteLLM's format; empty: the built-in price of the scripted model alone.
    var priceFile = ""
    var budgets: [BudgetSetting] = []
    var accounting = Accounting()
    var tools = Tools()
    var policies = Policies()
    var approvals = Approvals()
    var audit = Audit()
    var telemetry = Telemetry()
    var logLevel = Logger.Level.info
    var sandbox = Sandbox()
    var tokens = Tokens()
    var transport = Transport()
    /// What the log should say about settings that have no effect.
    var notices: [String] = []
}
