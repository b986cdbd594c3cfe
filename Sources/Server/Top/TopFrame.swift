internal import Accounting
internal import JSON

/// What `kdcube top` knows at one moment.
struct TopSample: Sendable, Hashable {
    /// Milliseconds since 1970.
    var at: Int64
    /// Servers that report.
    var servers: Int
    /// The object of `/api/admin/now`.
    var now: JSONValue
    /// The dearest first.
    var streams: [StreamRow]

    init(at: Int64, servers: Int, now: JSONValue, streams: [StreamRow]) {
        self.at = at
        self.servers = servers
        self.now = now
        self.streams = streams.sorted { ($0.rate.cost, $0.cost.rawValue, $1.run) > ($1.rate.cost, $1.cost.rawValue, $0.run) }
    }

    var json: JSONValue {
        [
            "at": .integer(at), "servers": .integer(Int64(servers)), "now": now, "streams": .array(streams.map(\.json)),
        ]
    }
}

/// One picture of `kdcube top`: lines for a terminal of so many columns and rows. Pure.
struct TopFrame: Sendable {
    let sample: TopSample
    /// Below the table: what the keys do, a question, or what came of it.
    let foot: String
    /// The instant that ages are counted to (ms since 1970).
    let now: Int64

    func lines(width: Int, height: Int) -> [String] {
        let width = max(20, width)
        var lines = [head, figures]
        if let problems { lines.append(problems) }
        lines.append("")
        // The head, the table's head, what is left out, and the foot.
        let room = max(0, height - lines.count - 3)
        let shown = sample.streams.prefix(room)
        lines += Self.table([Self.columns] + shown.enumerated().map { row($0.offset + 1, $0.element) })
        if sample.streams.isEmpty {
            lines.append(sample.servers == 0 ? "no server reports here: start one with kdcube serve" : "nothing runs")
        } else if shown.count < sample.streams.count {
            lines.append("… and \(sample.streams.count - shown.count) more")
        }
        lines.append(foot)
        return lines.prefix(max(1, height)).map { Self.cut($0, width) }
    }

    private var head: String {
        let servers = sample.servers == 1 ? "1 server" : "\(sample.servers) servers"
        return "kdcube top · \(servers) · \(Milliseconds(sample.at).rfc3339)"
    }

    private var figures: String {
        func text(_ name: String) -> String { sample.now[name].flatMap { $0.stringValue ?? $0.numberText } ?? "-" }
        let decisions = sample.now["decisions_last_hour"]
        let (allowed, denied) = (decisions?["allow"]?.numberText ?? "-", decisions?["deny"]?.numberText ?? "-")
        return "runs \(text("runs"))  tokens/s \(text("tokens_per_second"))  $/min \(text("cost_per_minute_usd"))  "
            + "last hour: cuts \(text("cuts_last_hour")), allowed \(allowed), denied \(denied)  approvals \(text("approvals_waiting"))  "
            + "health \(text("health"))"
    }

    private var problems: String? {
        let problems = (sample.now["problems"]?.arrayValue ?? []).compactMap(\.stringValue)
        return problems.isEmpty ? nil : "! " + problems.joined(separator: "; ")
    }

    static let columns = ["#", "RUN", "WHO", "MODEL", "STATE", "AGE", "TOKENS", "T/S", "USD", "USD/MIN", "STOPPED BY"]

    private func row(_ number: Int, _ row: StreamRow) -> [String] {
        let who = [row.org.text, row.project, row.user].compactMap { $0 }.joined(separator: "/")
        let state = row.waiting.map { "waits: \($0 == "tool" ? row.tool ?? $0 : $0)" } ?? "streams"
        return [
            String(number), row.run, who, row.model, state, Self.age(now - row.startedAt), String(row.outputTokens),
            row.rate.tokensPerSecond.numberText ?? "", row.cost.decimalText, NanoUSD(row.rate.cost).decimalText,
            row.stops.map(Self.stop) ?? "-",
        ]
    }

    private static func stop(_ stop: StreamStop) -> String {
        let window = "\(stop.scope) \(stop.unit.rawValue)/\(stop.window)"
        guard let seconds = stop.seconds else { return window }
        return "\(window) in \(age(seconds * 1_000))"
    }

    /// `42 s`, `3 min 5 s`, `2 h 10 min`.
    static func age(_ milliseconds: Int64) -> String {
        let seconds = max(0, milliseconds / 1_000)
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3_600 { return "\(seconds / 60) min \(seconds % 60) s" }
        return "\(seconds / 3_600) h \(seconds / 60 % 60) min"
    }

    /// Columns padded to their widest cell.
    private static func table(_ rows: [[String]]) -> [String] {
        let rows = rows.map { $0.map(clean) }
        let widths = columns.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return cells.joined(separator: "  ").trimmingSpaces
        }
    }

    /// Names come from people and models: none of them moves a terminal's cursor.
    private static func clean(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : Character($0) })
    }

    private static func cut(_ line: String, _ width: Int) -> String {
        line.count <= width ? line : String(line.prefix(width - 1)) + "…"
    }
}

/// What keys do in `kdcube top`. Pure: bytes in, orders out.
struct TopKeys: Sendable {
    enum Order: Sendable, Hashable {
        case quit
        case kill(String)
    }

    static let help = "q quits · k kills a run"
    /// Of what is typed after `k`.
    private static let typedMax = 64

    /// What is typed, and the runs as they were numbered when the question was asked.
    private var question: (typed: String, runs: [String])?
    private(set) var notice: String?

    var foot: String {
        if let question { return "kill which run? its number or id, then Enter; Esc: none > \(question.typed)" }
        return notice.map { "\($0) · \(Self.help)" } ?? Self.help
    }

    mutating func tell(_ notice: String) { self.notice = notice }

    /// - Parameter runs: as they are numbered on the screen.
    mutating func take(_ byte: UInt8, runs: [String]) -> Order? {
        guard var open = question else {
            switch byte {
            case UInt8(ascii: "q"), UInt8(ascii: "Q"), 3: return .quit
            case UInt8(ascii: "k"), UInt8(ascii: "K"):
                question = ("", runs)
                notice = nil
            default: break
            }
            return nil
        }
        switch byte {
        case 3: return .quit
        case 27: question = nil
        case 10, 13:
            question = nil
            return chosen(open)
        case 8, 127:
            if !open.typed.isEmpty { open.typed.removeLast() }
            question = open
        case 0x21...0x7E:
            if open.typed.count < Self.typedMax { open.typed.append(Character(UnicodeScalar(byte))) }
            question = open
        default: break
        }
        return nil
    }

    private mutating func chosen(_ question: (typed: String, runs: [String])) -> Order? {
        if question.runs.contains(question.typed) { return .kill(question.typed) }
        if let number = Int(question.typed), question.runs.indices.contains(number - 1) { return .kill(question.runs[number - 1]) }
        notice = question.typed.isEmpty ? "nothing was killed" : "there is no run \(question.typed)"
        return nil
    }
}
