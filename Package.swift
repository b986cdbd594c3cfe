// swift-tools-version:6.2
import PackageDescription

/// Every target is built the same way: Swift 6 mode, the strict upcoming features, and no warning tolerated.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let cSettings: [CSetting] = [.define("_GNU_SOURCE"), .unsafeFlags(["-Wall", "-Wextra", "-Werror"])]

extension Target.Dependency {
    static let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
    static let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
    static let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
    static let nioHPACK = Target.Dependency.product(name: "NIOHPACK", package: "swift-nio-http2")
    static let nioHTTP2 = Target.Dependency.product(name: "NIOHTTP2", package: "swift-nio-http2")
    static let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
    static let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
    static let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
    static let nioExtras = Target.Dependency.product(name: "NIOExtras", package: "swift-nio-extras")
    static let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
    static let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    static let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
    static let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
    static let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
    static let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
    static let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
    static let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
    static let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
    static let yams = Target.Dependency.product(name: "Yams", package: "Yams")
}

let package = Package(
    name: "kdcube",
    products: [
        .executable(name: "kdcube", targets: ["kdcube"]),
        .library(name: "Transport", targets: ["Transport"]),
        .library(name: "TransportRedis", targets: ["TransportRedis"]),
        .library(name: "Cedar", targets: ["Cedar"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0", traits: []),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
    ],
    targets: [
        // Support: what every room may use, and what knows none of them.
        .target(name: "JSON", path: "Sources/Support/JSON", swiftSettings: settings),
        .target(name: "Tenancy", path: "Sources/Support/Tenancy", swiftSettings: settings),
        .target(name: "MessagePack", dependencies: ["JSON"], path: "Sources/Support/MessagePack", swiftSettings: settings),
        .target(name: "Telemetry", path: "Sources/Support/Telemetry", swiftSettings: settings),
        .systemLibrary(
            name: "COpenSSL", path: "Sources/Support/COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "Digest", dependencies: ["COpenSSL"], path: "Sources/Support/Digest", swiftSettings: settings),
        .target(name: "JWT", dependencies: ["COpenSSL", "Digest", "JSON"], path: "Sources/Support/JWT", swiftSettings: settings),
        .systemLibrary(
            name: "CZlib", path: "Sources/Support/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CMalloc", path: "Sources/Support/CMalloc"),
        .target(name: "Deflate", dependencies: ["CZlib"], path: "Sources/Support/Deflate", swiftSettings: settings),

        .target(name: "Traces", dependencies: ["JSON"], path: "Sources/Support/Traces", swiftSettings: settings),
        .systemLibrary(
            name: "CHiredis", path: "Sources/Support/CHiredis", pkgConfig: "hiredis", providers: [.apt(["libhiredis-dev"])]),
        .target(
            name: "RedisClient", dependencies: ["CHiredis", .nioCore, .nioPosix, .logging], path: "Sources/Support/Redis",
            swiftSettings: settings),
        .target(name: "EventStream", path: "Sources/Support/EventStream", swiftSettings: settings),

        // Transport: bytes, connections, Engine.IO and Socket.IO.
        .target(
            name: "TransportWire", dependencies: ["JSON", "MessagePack", .nioCore], path: "Sources/Transport/Wire",
            swiftSettings: settings),
        .target(
            name: "Transport",
            dependencies: [
                "TransportWire", "JSON", "Telemetry", "Digest", "Deflate", "CMalloc", .nioCore, .nioPosix, .nioHTTP1, .nioHTTP2, .nioSSL,
                .nioTLS,
                .nioExtras,
                .nioHTTPTypesHTTP1, .nioHTTPTypes, .httpTypes, .hummingbird, .logging, .lifecycle, .unixSignals, .deque,
            ],
            path: "Sources/Transport/Realtime", swiftSettings: settings),
        // Several servers as one, through a Redis: the Socket.IO cluster and what its nodes know of each other.
        .target(
            name: "TransportRedis",
            dependencies: [
                "Transport", "TransportWire", "JSON", "MessagePack", "RedisClient", "Telemetry", .nioCore, .nioPosix, .logging,
                .deque,
            ],
            path: "Sources/Transport/Redis", swiftSettings: settings),

        // Engine: runs, their logs, and the models that feed them.
        .target(name: "Engine", dependencies: ["JSON", "Tenancy", "Traces"], path: "Sources/Engine/Core", swiftSettings: settings),
        .target(
            name: "EngineProviders",
            dependencies: ["Engine", "EventStream", "JSON", "Traces", .asyncHTTPClient, .nioCore, .nioPosix, .nioHTTP1],
            path: "Sources/Engine/Providers", swiftSettings: settings),

        // Accounting: amounts, windows, leases, ledger; and the stores that keep them.
        .target(
            name: "Accounting", dependencies: ["JSON", "Digest", "Tenancy"], path: "Sources/Accounting/Metering", swiftSettings: settings),
        .target(
            name: "AccountingRedis", dependencies: ["Accounting", "RedisClient", .nioCore, .logging],
            path: "Sources/Accounting/Redis", resources: [.embedInCode("Functions")],
            swiftSettings: settings),
        .systemLibrary(
            name: "CLibPQ", path: "Sources/Accounting/Postgres/CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(
            name: "AccountingPostgres", dependencies: ["Accounting", "CLibPQ", .nioPosix],
            path: "Sources/Accounting/Postgres", exclude: ["CLibPQ"], resources: [.embedInCode("Migrations")],
            swiftSettings: settings),
        .target(
            name: "AccountingBoard", dependencies: ["Accounting"], path: "Sources/Accounting/Board", swiftSettings: settings),
        .target(
            name: "AccountingSQLite", dependencies: ["Accounting", "JSON", .grdb], path: "Sources/Accounting/SQLite",
            swiftSettings: settings),

        // Sandbox: the isolated executor, and the supervisor that decides about every call.
        .target(
            name: "CLauncher", path: "Sources/Sandbox/CLauncher", cSettings: cSettings),
        // Beside the server, for the sandboxes: Landlock, then the interpreter. Without Swift's libraries, which each start would load.
        .executableTarget(
            name: "sandbox-init", path: "Sources/Sandbox/SandboxInit", cSettings: cSettings,
            linkerSettings: [
                .unsafeFlags(["-nostartfiles", "-use-ld=lld", "-Xlinker", "--remap-inputs=*/libswiftCore.so=/dev/null"])
            ]),
        .target(name: "CSandboxFiles", path: "Sources/Sandbox/CSandboxFiles", cSettings: cSettings),
        .target(
            name: "Executor", dependencies: ["CLauncher", "CSandboxFiles", "JSON", "Digest"], path: "Sources/Sandbox/Executor",
            resources: [.embedInCode("Python")], swiftSettings: settings),
        .target(name: "Cedar", path: "Sources/Sandbox/Cedar", swiftSettings: settings),
        .target(
            name: "Supervisor", dependencies: ["Cedar", "JSON", "Digest", "Tenancy"], path: "Sources/Sandbox/Supervisor",
            swiftSettings: settings),
        .target(name: "CSpawn", path: "Sources/Sandbox/CSpawn", cSettings: cSettings),
        .target(
            name: "SupervisorAdapters",
            dependencies: ["Supervisor", "CSpawn", "EventStream", "JSON", "Traces", .asyncHTTPClient, .nioCore, .nioPosix, .nioHTTP1],
            path: "Sources/Sandbox/Adapters", swiftSettings: settings),

        // Server: the only composition root.
        .executableTarget(
            name: "kdcube",
            dependencies: [
                "JSON", "JWT", "Telemetry", "Traces", "Digest", "TransportWire", "Transport", "Engine", "EngineProviders", "Accounting",
                "AccountingBoard", "AccountingRedis", "AccountingPostgres", "AccountingSQLite", "RedisClient", "Cedar", "Executor",
                "sandbox-init",
                "Supervisor",
                "SupervisorAdapters", "TransportRedis", .hummingbird, .httpTypes, .nioCore,
                .nioPosix, .nioHTTP1,
                .lifecycle, .unixSignals,
                .logging,
                .asyncHTTPClient, .argumentParser, .yams,
            ],
            path: "Sources/Server", swiftSettings: settings),

        // What a program with the library product `Transport` looks like; not installed.
        .executableTarget(
            name: "chat", dependencies: ["Transport"], path: "Examples/Chat", exclude: ["README.md"],
            resources: [.embedInCode("page.html")], swiftSettings: settings),

        .executableTarget(
            name: "conformance-server",
            dependencies: [
                "JSON", "Telemetry", "TransportWire", "Transport", "TransportRedis", "RedisClient", .argumentParser, .hummingbird,
                .lifecycle, .unixSignals, .nioCore,
                .nioHTTP1,
                .nioPosix, .logging,
            ],
            path: "Tests/ConformanceServer", swiftSettings: settings),
        .executableTarget(
            name: "ledger-benchmark", dependencies: ["Accounting", "AccountingPostgres"], path: "Benchmarks/LedgerBenchmark",
            swiftSettings: settings),
        .executableTarget(
            name: "sandbox-benchmark", dependencies: ["Executor", "JSON", "sandbox-init"], path: "Benchmarks/SandboxBenchmark",
            swiftSettings: settings),
        .executableTarget(
            name: "transport-benchmark",
            dependencies: ["JSON", "Telemetry", "TransportWire", "Transport", .hummingbird, .logging, .nioCore, .nioPosix],
            path: "Benchmarks/TransportBenchmark", swiftSettings: settings),
        // What libFuzzer drives (scripts/fuzz.sh).
        .executableTarget(
            name: "fuzz", dependencies: ["JSON", "MessagePack", "TransportWire", .nioCore], path: "Tests/Fuzz", exclude: ["Corpus"],
            swiftSettings: settings),
        .executableTarget(name: "cedar-benchmark", dependencies: ["Cedar"], path: "Benchmarks/CedarBenchmark", swiftSettings: settings),
        .testTarget(name: "CedarTests", dependencies: ["Cedar"], swiftSettings: settings),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: settings),
        .testTarget(name: "MessagePackTests", dependencies: ["MessagePack", "JSON"], swiftSettings: settings),
        .testTarget(name: "TracesTests", dependencies: ["Traces", "JSON"], swiftSettings: settings),
        .testTarget(
            name: "TransportWireTests", dependencies: ["TransportWire", "JSON", .nioCore], swiftSettings: settings),
        .testTarget(
            name: "TransportTests",
            dependencies: [
                "Transport", "TransportWire", "JSON", "MessagePack", "Telemetry", "Deflate", .nioCore, .nioPosix, .nioEmbedded, .nioHTTP1,
                .nioHPACK, .nioHTTP2, .nioSSL,
                .hummingbird,
                .logging, .httpTypes, .lifecycle, .unixSignals,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "TransportRedisTests",
            dependencies: [
                "TransportRedis", "Transport", "TransportWire", "RedisClient", "JSON", "MessagePack", "Telemetry", .nioCore, .nioPosix,
                .nioHTTP1, .nioEmbedded, .hummingbird, .logging, .httpTypes, .lifecycle,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "EngineTests",
            dependencies: ["Engine", "EngineProviders", "EventStream", "JSON", .asyncHTTPClient, .nioCore, .nioPosix, .nioHTTP1],
            swiftSettings: settings),
        .testTarget(
            name: "AccountingTests",
            dependencies: [
                "Accounting", "AccountingBoard", "AccountingRedis", "AccountingPostgres", "AccountingSQLite", "RedisClient", "JSON",
                .nioPosix,
                .grdb,
            ],
            swiftSettings: settings),
        // The simulator of Accounting (docs/accounting.md, "How it is tested"): a library, its command and its tests.
        .target(name: "Simulation", dependencies: ["Accounting"], path: "Tests/Simulation/World", swiftSettings: settings),
        .executableTarget(name: "simulate", dependencies: ["Simulation"], path: "Tests/Simulation/Command", swiftSettings: settings),
        // The same machines at the size of the internet (docs/scale.md): a library, its command and its tests.
        .target(name: "ScaleWorld", dependencies: ["Accounting"], path: "Tests/Simulation/Scale/World", swiftSettings: settings),
        .executableTarget(
            name: "scale", dependencies: ["ScaleWorld"], path: "Tests/Simulation/Scale/Command", swiftSettings: settings),
        .testTarget(name: "ScaleTests", dependencies: ["ScaleWorld"], path: "Tests/Simulation/Scale/Tests", swiftSettings: settings),
        .testTarget(
            name: "SimulationTests", dependencies: ["Simulation", "simulate"], path: "Tests/Simulation/Tests", swiftSettings: settings),
        .executableTarget(
            name: "sandbox-holder", dependencies: ["Executor", "sandbox-init"], path: "Tests/SandboxHolder", swiftSettings: settings),
        .testTarget(
            name: "ExecutorTests", dependencies: ["Executor", "CLauncher", "JSON", "Digest", "sandbox-holder", "sandbox-init"],
            swiftSettings: settings),
        .testTarget(
            name: "SupervisorTests", dependencies: ["Supervisor", "JSON", "Digest"], exclude: ["Adapters"], swiftSettings: settings),
        .testTarget(
            name: "AdapterTests",
            dependencies: ["SupervisorAdapters", "Supervisor", "EventStream", "JSON", .nioCore, .nioPosix, .nioHTTP1],
            path: "Tests/SupervisorTests/Adapters", swiftSettings: settings),
        .testTarget(name: "JWTTests", dependencies: ["JWT", "JSON", "Digest"], swiftSettings: settings),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "kdcube", "Engine", "EngineProviders", "Executor", "Supervisor", "Accounting", "AccountingSQLite", "JSON", "JWT",
                "Telemetry", "RedisClient", .httpTypes, .hummingbird, .nioCore, .logging,
            ],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
