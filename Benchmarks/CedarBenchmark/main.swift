// What a decision costs: `cedar-benchmark POLICIES ENTITIES REQUESTS [COUNT]`, called by bench_cedar.py and bench_instructions.py.
// Requests are lines of JSON. Without COUNT it measures and prints one line of JSON; with it, it makes so many decisions and
// prints how many were allowed, for a count of instructions.
internal import Cedar
internal import Glibc

func text(_ path: String) -> String {
    guard let file = fopen(path, "r") else { fatalError("\(path) cannot be read") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return String(decoding: bytes, as: UTF8.self)
}

func microseconds(_ duration: Duration) -> Double {
    Double(duration.components.attoseconds / 1_000_000_000) / 1_000 + Double(duration.components.seconds) * 1_000_000
}

let clock = ContinuousClock()
let arguments = CommandLine.arguments
guard arguments.count >= 4 else { fatalError("usage: cedar-benchmark POLICIES ENTITIES REQUESTS [COUNT]") }
let policies = text(arguments[1])
let lines = text(arguments[3]).split(separator: "\n").map(String.init)
let entities = try Entities(parsing: text(arguments[2]))
let requests = try lines.map { try Request(parsing: $0) }

let began = clock.now
let authorizer = Authorizer(try PolicySet(parsing: policies))
let load = clock.now - began

/// The sorted times of `count` calls in microseconds.
func times(_ count: Int, _ body: (Int) throws -> Void) rethrows -> [Double] {
    var result: [Double] = []
    result.reserveCapacity(count)
    for number in 0..<count {
        let start = clock.now
        try body(number % requests.count)
        result.append(microseconds(clock.now - start))
    }
    return result.sorted()
}

/// Makes so many decisions; the answer depends on all of them, so that none is left out.
func decide(_ count: Int) -> Int {
    var allowed = 0
    for number in 0..<count where authorizer.authorize(requests[number % requests.count], entities).decision == .allow { allowed += 1 }
    return allowed
}

if arguments.count > 4 {
    print(decide(Int(arguments[4]) ?? 0))
} else {
    // As many as take a second or so.
    let probe = microseconds(clock.measure { _ = decide(requests.count) }) / Double(requests.count)
    let count = max(1_000, min(100_000, Int(1_000_000 / probe)))
    var allowed = 0
    let decisions = times(count) { if authorizer.authorize(requests[$0], entities).decision == .allow { allowed += 1 } }
    let readAndDecided = try times(count) {
        if authorizer.authorize(try Request(parsing: lines[$0]), entities).decision == .allow { allowed += 1 }
    }
    let whole = microseconds(clock.measure { allowed += decide(count) })
    let answers = requests.map { request in
        let response = authorizer.authorize(request, entities)
        return "[\"\(response.decision)\", [\(response.reason.map { "\"\($0)\"" }.joined(separator: ", "))]]"
    }
    print(
        """
        {"decision": \(decisions[count / 2]), "late": \(decisions[count * 99 / 100]), "read": \(readAndDecided[count / 2]), \
        "load": \(microseconds(load)), "count": \(count), "second": \(Double(count) * 1_000_000 / whole), "allowed": \(allowed), \
        "answers": [\(answers.joined(separator: ", "))]}
        """)
}
