internal import CLibPQ
internal import Glibc

/// One libpq connection. The only file that touches libpq: it owns the pointer and copies results out at once.
///
/// Waits for the socket with `poll` and a deadline, so it belongs on a thread that may wait. Not shared: whoever holds the value has
/// the connection. A connection that fails is closed here and can be opened again.
struct PostgresConnection: ~Copyable {
    private var pointer: OpaquePointer?
    /// Names of prepared statements by their text.
    private var prepared: [String: String] = [:]
    private var deadline = ContinuousClock.now

    init() {}

    deinit { PQfinish(pointer) }

    /// Whether libpq can make sense of an address.
    static func accepts(url: String) -> Bool {
        let options = PQconninfoParse(url, nil)
        PQconninfoFree(options)
        return options != nil
    }

    var isOpen: Bool { pointer != nil }

    /// What is started from now on has to end within `milliseconds`.
    mutating func limit(milliseconds: Int64) { deadline = ContinuousClock.now + .milliseconds(milliseconds) }

    mutating func close() {
        PQfinish(pointer)
        pointer = nil
        prepared = [:]
    }

    // MARK: Opening

    mutating func open(_ url: PostgresURL) throws(PostgresError) {
        close()
        // Later ones win: the address may set anything but the encoding, on which our decoding rests.
        let settings = [
            ("fallback_application_name", "kdcube"), ("tcp_user_timeout", String(PostgresLimits.writeMilliseconds)),
            ("dbname", url.text), ("client_encoding", "UTF8"),
        ]
        let connection = Self.withCStrings(settings.map(\.0)) { names in
            Self.withCStrings(settings.map(\.1)) { values in PQconnectStartParams(names, values, 1) }
        }
        guard let connection else { throw .unreachable("out of memory") }
        pointer = connection
        do throws(PostgresError) {
            try finishOpening(connection)
            PQsetnonblocking(connection, 1)
            PQsetNoticeProcessor(connection, { _, _ in }, nil)
            guard PQserverVersion(connection) >= 130_000 else { throw .unreachable("PostgreSQL 13 or later is needed") }
            try script(Array(Self.preparation.utf8))
        } catch {
            close()
            switch error {
            case .lost(let reason): throw .unreachable(reason)
            case .timeout: throw .unreachable("no answer to a connection")
            default: throw error
            }
        }
    }

    /// Plans are small and many: compiling them costs more than running them. The server must not go on with what was given up.
    private static let preparation = """
        SET search_path TO kdcube; SET jit = off; SET idle_in_transaction_session_timeout = '60s';
        """

    private mutating func finishOpening(_ connection: OpaquePointer) throws(PostgresError) {
        var next = PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
        while next != PGRES_POLLING_OK {
            switch next {
            case PGRES_POLLING_WRITING: try wait(connection, for: POLLOUT)
            case PGRES_POLLING_READING: try wait(connection, for: POLLIN)
            default: throw .unreachable(Self.message(connection))
            }
            next = PQconnectPoll(connection)
        }
    }

    /// True when the other side has closed an idle connection. Costs a system call, and saves a statement from being lost.
    mutating func closeIfStale() {
        guard let pointer else { return }
        var descriptor = pollfd(fd: PQsocket(pointer), events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, 0) != 0 else { return }
        // Something came unasked: a notice, or the end.
        if PQconsumeInput(pointer) == 0 || PQstatus(pointer) != CONNECTION_OK { close() }
    }

    // MARK: Statements

    /// Runs a statement with parameters `$1`, `$2`, …; its text is prepared at its first use.
    @discardableResult
    mutating func query(_ sql: String, _ values: [PostgresValue] = []) throws(PostgresError) -> PostgresRows {
        // What finds no place is planned each time and not kept.
        guard prepared[sql] != nil || prepared.count < PostgresLimits.preparedStatements else { return try query(composed: sql, values) }
        let name = try prepare(sql, values)
        return try send(values) { connection, pointers, lengths, formats in
            PQsendQueryPrepared(connection, name, Int32(values.count), pointers, lengths, formats, 1)
        }
    }

    /// Runs a statement that was composed for one question: planned for its values, and not kept.
    mutating func query(composed sql: String, _ values: [PostgresValue]) throws(PostgresError) -> PostgresRows {
        let types = values.map(\.type)
        return try send(values) { connection, pointers, lengths, formats in
            PQsendQueryParams(connection, sql, Int32(values.count), types, pointers, lengths, formats, 1)
        }
    }

    private mutating func send(
        _ values: [PostgresValue],
        _ body: (OpaquePointer, [UnsafePointer<CChar>?], [Int32], [Int32]) -> Int32
    ) throws(PostgresError) -> PostgresRows {
        var bytes: [UInt8] = []
        var starts: [Int?] = []
        var lengths: [Int32] = []
        for value in values {
            let start = bytes.count
            starts.append(value.encode(into: &bytes) ? start : nil)
            lengths.append(Int32(clamping: bytes.count - start))
        }
        // An empty text at the end needs an address as well.
        bytes.append(0)
        return try send { connection in
            bytes.withUnsafeBytes { buffer in
                let pointers = starts.map { start in
                    start.flatMap { buffer.baseAddress?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
                }
                let formats = [Int32](repeating: 1, count: values.count)
                return body(connection, pointers, lengths, formats)
            }
        }
    }

    /// Runs statements without parameters, separated by semicolons.
    mutating func script(_ sql: [UInt8]) throws(PostgresError) {
        let text = String(decoding: sql, as: UTF8.self)
        _ = try send { PQsendQuery($0, text) }
    }

    /// All of `body` or nothing of it.
    mutating func transaction<Value>(
        _ begin: String = "BEGIN", _ body: (inout PostgresConnection) throws(PostgresError) -> Value
    ) throws(PostgresError) -> Value {
        try script(Array(begin.utf8))
        let value: Value
        do throws(PostgresError) { value = try body(&self) } catch {
            // A connection that cannot take a rollback is closed by the attempt, which is a rollback as well.
            if isOpen { try? script(Array("ROLLBACK".utf8)) }
            throw error
        }
        try script(Array("COMMIT".utf8))
        return value
    }

    private mutating func prepare(_ sql: String, _ values: [PostgresValue]) throws(PostgresError) -> String {
        if let name = prepared[sql] { return name }
        let name = "s\(prepared.count)"
        let types = values.map(\.type)
        _ = try send { PQsendPrepare($0, name, sql, Int32(types.count), types) }
        prepared[sql] = name
        return name
    }

    // MARK: Sending and receiving

    private mutating func send(_ body: (OpaquePointer) -> Int32) throws(PostgresError) -> PostgresRows {
        guard let pointer else { throw .lost("the connection is closed") }
        do throws(PostgresError) {
            guard body(pointer) == 1 else { throw lost() }
            while true {
                let pending = PQflush(pointer)
                if pending == 0 { break }
                guard pending == 1 else { throw lost() }
                try wait(pointer, for: POLLIN | POLLOUT)
                guard PQconsumeInput(pointer) == 1 else { throw lost() }
            }
            return try receive(pointer)
        } catch {
            // Whatever else is on its way belongs to a statement that was given up.
            switch error {
            case .lost, .timeout: close()
            default: break
            }
            throw error
        }
    }

    /// The last result of a statement; the first error wins. Always reads to the end, so that the connection is free again.
    private mutating func receive(_ connection: OpaquePointer) throws(PostgresError) -> PostgresRows {
        var rows: PostgresRows?
        var failure: PostgresError?
        while true {
            while PQisBusy(connection) == 1 {
                try wait(connection, for: POLLIN)
                guard PQconsumeInput(connection) == 1 else { throw lost() }
            }
            guard let result = PQgetResult(connection) else { break }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                do throws(PostgresError) { rows = try Self.copy(result) } catch { failure = failure ?? error }
            default:
                let error = PostgresServerError(
                    sqlState: Self.field("C", of: result), message: Self.field("M", of: result))
                failure = failure ?? (error.isShutdown || error.sqlState.isEmpty ? .lost(error.message) : .server(error))
            }
        }
        if PQstatus(connection) != CONNECTION_OK { throw lost() }
        if let failure { throw failure }
        guard let rows else { throw .malformed("no result") }
        return rows
    }

    private static func copy(_ result: OpaquePointer) throws(PostgresError) -> PostgresRows {
        let (count, columns) = (PQntuples(result), PQnfields(result))
        var bytes: [UInt8] = []
        var cells: [(start: Int, length: Int)] = []
        cells.reserveCapacity(Int(count) * Int(columns))
        for row in 0..<count {
            for column in 0..<columns {
                guard PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column) else {
                    cells.append((bytes.count, -1))
                    continue
                }
                let length = Int(PQgetlength(result, row, column))
                guard bytes.count + length <= PostgresLimits.answerBytesMax else { throw .malformed("a very long answer") }
                cells.append((bytes.count, length))
                bytes.append(contentsOf: UnsafeRawBufferPointer(start: value, count: length))
            }
        }
        let affected = PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
        return PostgresRows(count: Int(count), columns: Int(columns), affected: affected, bytes: bytes, cells: cells)
    }

    private func wait(_ connection: OpaquePointer, for events: Int32) throws(PostgresError) {
        while true {
            let left = deadline - ContinuousClock.now
            let milliseconds = left.components.seconds * 1_000 + left.components.attoseconds / 1_000_000_000_000_000
            guard milliseconds > 0 else { throw .timeout }
            var descriptor = pollfd(fd: PQsocket(connection), events: Int16(events), revents: 0)
            let ready = poll(&descriptor, 1, Int32(clamping: milliseconds))
            if ready > 0 { return }
            guard ready == 0 || errno == EINTR else { throw .lost("poll failed") }
        }
    }

    private func lost() -> PostgresError { .lost(Self.message(pointer)) }

    /// libpq's last message on one line. It names hosts and users, never the password.
    private static func message(_ connection: OpaquePointer?) -> String {
        let text = PQerrorMessage(connection).map { String(cString: $0) } ?? ""
        let lines = text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " || $0 == "\t" } }
        return lines.isEmpty ? "the connection ended" : lines.joined(separator: "; ")
    }

    private static func field(_ code: Unicode.Scalar, of result: OpaquePointer) -> String {
        PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) } ?? ""
    }

    /// A C array of C strings with a null at its end, for as long as `body` runs.
    private static func withCStrings<Value>(_ texts: [String], _ body: ([UnsafePointer<CChar>?]) -> Value) -> Value {
        let copies = texts.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies.map { UnsafePointer($0) } + [nil])
    }
}
