import Executor
import Glibc
import JSON
import Synchronization

/// `sandbox-benchmark [--json]`, as root: what a sandbox costs on this machine. Prints a table, or one JSON object.
///
/// All times are wall time in milliseconds, with the supervisor in this process; compare figures of one run only.
let rounds = 30
let many = 20

var template = Array("/tmp/kdcube-benchmark-XXXXXX".utf8CString)
guard geteuid() == 0, let pointer = mkdtemp(&template) else {
    print("sandboxes need root")
    exit(2)
}
let directory = String(cString: pointer)
chmod(directory, 0o711)

var figures: [(name: String, value: Double, unit: String)] = []
do {
    try await measureStarts()
    try await measureLandlock()
    try await measureMany()
} catch {
    print("no figures: \(error)")
    exit(1)
}
for part in ["sandboxes", "uids"] {
    for name in Machine.names(in: "\(directory)/\(part)") { unlink("\(directory)/\(part)/\(name)") }
    rmdir("\(directory)/\(part)")
}
rmdir(directory)
if CommandLine.arguments.contains("--json") {
    var writer = JSONWriter()
    writer.beginObject()
    for figure in figures {
        writer.key(figure.name)
        writer.raw(rounded(figure.value))
    }
    writer.endObject()
    print(String(decoding: writer.bytes, as: UTF8.self))
} else {
    for figure in figures {
        let name = figure.name.split(separator: "_").joined(separator: " ")
        print(name + String(repeating: " ", count: max(44 - name.count, 1)) + rounded(figure.value) + " " + figure.unit)
    }
}

/// The interpreter alone, cold starts, warm starts and the round trip of a call.
@MainActor func measureStarts() async throws {
    figures.append(("python_alone_median", median(try (0..<rounds).map { _ in try pythonAlone() }), "ms"))
    let code = "from agent_tools import tools\ntools.tick()"
    let cold = try await host(warm: 0)
    // The first finds the interpreter's closure.
    _ = try await firstReply(cold, code)
    var times: [Double] = []
    for _ in 0..<rounds { times.append(try await firstReply(cold, code)) }
    figures.append(("cold_start_to_first_reply_median", median(times), "ms"))
    figures.append(("cold_start_to_first_reply_p90", percentile(times, 90), "ms"))
    let trips = try await cold.run(
        SandboxJob(
            code: """
                import time
                from agent_tools import tools
                times = []
                for i in range(900):
                    start = time.perf_counter_ns(); tools.tick(); times.append(time.perf_counter_ns() - start)
                times.sort()
                [times[450], times[810]]
                """, tools: ["tick"]), handler: Clock())
    let numbers = (trips.value?.arrayValue ?? []).compactMap { $0.integerValue }
    if numbers.count == 2 {
        figures.append(("tool_call_round_trip_median", Double(numbers[0]) / 1e6, "ms"))
        figures.append(("tool_call_round_trip_p90", Double(numbers[1]) / 1e6, "ms"))
    }
    await cold.shutdown()

    let warm = try await host(warm: 1)
    var warmTimes: [Double] = []
    for _ in 0..<10 * rounds where warmTimes.count < rounds {
        // The pool is filled in the background.
        try await Task.sleep(for: .milliseconds(300))
        let clock = Clock()
        let result = try await warm.run(SandboxJob(code: code, tools: ["tick"]), handler: clock)
        if result.wasWarm, let time = clock.first { warmTimes.append(time) }
    }
    figures.append(("warm_start_to_first_reply_median", median(warmTimes), "ms"))
    figures.append(("warm_start_to_first_reply_p90", percentile(warmTimes, 90), "ms"))
    await warm.shutdown()
}

/// Cold starts with Landlock and without, in turns: what the second wall costs. Without it on a machine that has none.
@MainActor func measureLandlock() async throws {
    let hosts = [try await host(warm: 0), try await host(warm: 0, hasLandlock: false)]
    var launches: [[Double]] = [[], []], times: [[Double]] = [[], []]
    for round in 0...rounds {
        for (index, host) in hosts.enumerated() {
            let start = ContinuousClock.now
            let time = try await firstReply(host, "from agent_tools import tools\ntools.tick()")
            // The first finds the interpreter's closure.
            if round > 0 {
                times[index].append(time)
                launches[index].append(milliseconds(ContinuousClock.now - start))
            }
        }
    }
    for (index, name) in ["with", "without"].enumerated() {
        figures.append(("cold_start_\(name)_landlock_median", median(times[index]), "ms"))
        figures.append(("cold_job_\(name)_landlock_median", median(launches[index]), "ms"))
    }
    for host in hosts { await host.shutdown() }
}

/// The memory of a full pool, and that many jobs at once.
@MainActor func measureMany() async throws {
    let full = try await host(warm: many)
    var (before, sandboxes) = (0, 0)
    for _ in 0..<200 {
        try await Task.sleep(for: .milliseconds(100))
        let pids = Machine.sandboxes()
        // bubblewrap twice and the interpreter.
        sandboxes = pids.count / 3
        if sandboxes == many, before == pids.count { break }
        before = pids.count
    }
    let pss = Machine.sandboxes().reduce(0) { $0 + Machine.proportionalKiB(of: $1) }
    figures.append(("warm_sandboxes", Double(sandboxes), ""))
    figures.append(("pss_per_warm_sandbox", Double(pss) / 1_024 / Double(max(sandboxes, 1)), "MiB"))
    figures.append(("warm_jobs_at_once_\(many)", try await atOnce(full), "ms"))
    await full.shutdown()
    let cold = try await host(warm: 0)
    figures.append(("cold_jobs_at_once_\(many)", try await atOnce(cold), "ms"))
    let start = ContinuousClock.now
    await cold.shutdown()
    figures.append(("shutdown", milliseconds(ContinuousClock.now - start), "ms"))
}

@MainActor func host(warm: Int, hasLandlock: Bool = true) async throws -> SandboxHost {
    var settings = SandboxSettings(directory: "\(directory)/sandboxes")
    settings.slots = "\(directory)/uids"
    settings.uidBase = 1_940_000_000
    settings.warm = warm
    if !hasLandlock { settings.initProgram = "/nowhere" }
    settings.most = 2 * many
    let host = SandboxHost(settings, observer: Nobody())
    try await host.start()
    return host
}

@MainActor func firstReply(_ host: SandboxHost, _ code: String) async throws -> Double {
    let clock = Clock()
    let result = try await host.run(SandboxJob(code: code, tools: ["tick"]), handler: clock)
    guard result.exit == .ok, let time = clock.first else { throw Failure(text: result.stderr.text) }
    return time
}

@MainActor func atOnce(_ host: SandboxHost) async throws -> Double {
    let start = ContinuousClock.now
    try await withThrowingTaskGroup(of: SandboxExit.self) { group in
        for _ in 0..<many { group.addTask { try await host.run(SandboxJob(code: "1"), handler: Clock()).exit } }
        for try await exit in group where exit != .ok { throw Failure(text: exit.rawValue) }
    }
    return milliseconds(ContinuousClock.now - start)
}

/// `python3 -I -S -c pass`, from its start to its end.
func pythonAlone() throws -> Double {
    var pid = pid_t()
    var arguments: [UnsafeMutablePointer<CChar>?] = (["python3", "-I", "-S", "-c", "pass"] as [String]).map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    let start = ContinuousClock.now
    guard posix_spawn(&pid, "/usr/bin/python3", nil, nil, &arguments, nil) == 0 else { throw Failure(text: "no python3") }
    waitpid(pid, nil, 0)
    return milliseconds(ContinuousClock.now - start)
}

func milliseconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) * 1_000 + Double(duration.components.attoseconds) / 1e15
}

func median(_ values: [Double]) -> Double { percentile(values, 50) }

func percentile(_ values: [Double], _ part: Int) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[min(sorted.count * part / 100, sorted.count - 1)]
}

func rounded(_ value: Double) -> String {
    let thousandths = Int((value * 1_000).rounded())
    let fraction = String(thousandths % 1_000)
    return "\(thousandths / 1_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
}

struct Failure: Error { let text: String }

struct Nobody: SandboxObserver {
    func started(warm: Bool) {}
    func killed(_ exit: SandboxExit) {}
    func probed(_ report: IsolationReport) {}
    func undead(sandbox: String) {}
}

/// Answers every call at once, and notes when the first came: from the request to run on.
final class Clock: SandboxJobHandler {
    private let start = ContinuousClock.now
    private let time = Mutex(Double?.none)

    var first: Double? { time.withLock { $0 } }

    func call(_ call: SandboxCall) async -> SandboxReply {
        let now = milliseconds(ContinuousClock.now - start)
        time.withLock { if $0 == nil { $0 = now } }
        return .value(.null)
    }

    func refused(_ call: RefusedCall) {}
    func output(_ stream: SandboxStream, _ text: String) {}
    func emitted(_ stream: String, _ data: JSONValue) {}
}
