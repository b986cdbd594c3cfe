internal import Accounting
internal import JSON

/// The ledger as text, a row a line: for spreadsheets, warehouses and auditors.
enum LedgerFormat: String, CaseIterable, Sendable {
    case csv, jsonl

    var contentType: String {
        switch self {
        case .csv: "text/csv; charset=utf-8; header=present"
        case .jsonl: "application/x-ndjson; charset=utf-8"
        }
    }

    /// What stands before the first row.
    var head: String {
        switch self {
        case .csv: CSV.line(LedgerRow.columns.map { .text($0) })
        case .jsonl: ""
        }
    }

    func text(_ rows: [LedgerRow]) -> String {
        var text = ""
        for row in rows {
            switch self {
            case .csv: text += CSV.line(row.cells)
            case .jsonl: text += row.json.jsonText + "\n"
            }
        }
        return text
    }
}

/// RFC 4180, written so that a spreadsheet takes no cell for a formula.
enum CSV {
    enum Cell: Sendable {
        /// Written by us: digits, a sign, a point.
        case number(String)
        /// From outside, or any words.
        case text(String)
    }

    static func line(_ cells: [Cell]) -> String { cells.map(field).joined(separator: ",") + "\r\n" }

    /// Names of users and models may begin with `=`, `+`, `-`, `@`: spreadsheets would compute those, and fetch what they name.
    /// An apostrophe before them makes them text. Source: OWASP, *CSV Injection*.
    static func field(_ cell: Cell) -> String {
        switch cell {
        case .number(let text): return text
        case .text(let text):
            let first = text.unicodeScalars.first
            let isFormula = first.map { "=+-@\t\r\n\u{FF1D}\u{FF0B}\u{FF0D}\u{FF20}".unicodeScalars.contains($0) } ?? false
            let safe = isFormula ? "'" + text : text
            let needsQuotes = safe.unicodeScalars.contains { ",\"\r\n;\t '".unicodeScalars.contains($0) }
            return needsQuotes
                ? "\"" + safe.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\"" : safe
        }
    }
}

extension LedgerRow {
    /// Names are added at the end, never renamed.
    static let columns = [
        "charge_id", "at", "kind", "is_charge", "org", "project", "user", "key", "run", "model", "price_version", "cost_usd",
        "input_fresh", "input_cache_read", "input_cache_write", "output_visible", "output_reasoning", "requests", "estimated", "lease",
        "calls",
    ]

    var cells: [CSV.Cell] {
        let path = attribution.path
        let counts = [usage.inputFresh, usage.inputCacheRead, usage.inputCacheWrite, usage.outputVisible, usage.outputReasoning, requests]
        return [
            .text(chargeID), .text(at.rfc3339Milliseconds), .text(kind.rawValue), .text(kind.isCharge ? "true" : "false"),
            .text(path.org.text), .text(path.project), .text(path.user ?? ""), .text(path.key ?? ""), .text(attribution.run),
            .text(attribution.model), .text(attribution.priceVersion), .number(NanoUSD(nanoUSD).decimalText),
        ] + counts.map { .number(String($0)) } + [.text(estimated ? "true" : "false"), .text(lease), .number(String(calls))]
    }

    var json: JSONValue {
        let path = attribution.path
        return [
            "charge_id": .string(chargeID), "at": .string(at.rfc3339Milliseconds), "kind": .string(kind.rawValue),
            "is_charge": .bool(kind.isCharge), "org": .string(path.org.text), "project": .string(path.project),
            "user": path.user.map { .string($0) } ?? .null, "key": path.key.map { .string($0) } ?? .null,
            "run": .string(attribution.run), "model": .string(attribution.model), "price_version": .string(attribution.priceVersion),
            "cost_usd": .string(NanoUSD(nanoUSD).decimalText), "input_fresh": .integer(usage.inputFresh),
            "input_cache_read": .integer(usage.inputCacheRead), "input_cache_write": .integer(usage.inputCacheWrite),
            "output_visible": .integer(usage.outputVisible), "output_reasoning": .integer(usage.outputReasoning),
            "requests": .integer(requests), "estimated": .bool(estimated), "lease": .string(lease), "calls": .integer(calls),
        ]
    }
}

extension Milliseconds {
    /// `2026-11-24T00:00:00.042Z`.
    var rfc3339Milliseconds: String {
        let fraction = String(((rawValue % 1_000) + 1_000) % 1_000)
        return rfc3339.dropLast() + "." + String(repeating: "0", count: 3 - fraction.count) + fraction + "Z"
    }
}
