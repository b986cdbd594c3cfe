/// The rows of an answer, copied out of libpq's memory. Cells are in the binary format.
struct PostgresRows: Sendable {
    let count: Int
    /// How many rows an INSERT, UPDATE or DELETE touched.
    let affected: Int
    private let columns: Int
    private let bytes: [UInt8]
    /// Start and length of each cell; a length below zero is null.
    private let cells: [(start: Int, length: Int)]

    init(count: Int, columns: Int, affected: Int, bytes: [UInt8], cells: [(start: Int, length: Int)]) {
        self.count = count
        self.columns = columns
        self.affected = affected
        self.bytes = bytes
        self.cells = cells
    }

    /// One row, read column by column; a column that is not of the asked type is malformed.
    struct Row {
        fileprivate let rows: PostgresRows
        fileprivate let index: Int

        func int(_ column: Int) throws(PostgresError) -> Int64 {
            guard let value = try optionalInt(column) else { throw .malformed("a null number") }
            return value
        }

        func optionalInt(_ column: Int) throws(PostgresError) -> Int64? {
            guard let cell = rows.cell(index, column) else { return nil }
            guard cell.count == 8 else { throw .malformed("a number of \(cell.count) bytes") }
            return Int64(bitPattern: cell.reduce(0) { $0 << 8 | UInt64($1) })
        }

        func text(_ column: Int) throws(PostgresError) -> String {
            guard let value = optionalText(column) else { throw .malformed("a null text") }
            return value
        }

        /// Postgres has checked the encoding: it is UTF-8.
        func optionalText(_ column: Int) -> String? {
            rows.cell(index, column).map { String(decoding: $0, as: UTF8.self) }
        }

        /// Of a `bytea`.
        func bytes(_ column: Int) throws(PostgresError) -> [UInt8] {
            guard let cell = rows.cell(index, column) else { throw .malformed("null bytes") }
            return Array(cell)
        }

        func bool(_ column: Int) throws(PostgresError) -> Bool {
            guard let cell = rows.cell(index, column), cell.count == 1 else { throw .malformed("no truth value") }
            return cell.first == 1
        }
    }

    var first: Row? { count > 0 ? Row(rows: self, index: 0) : nil }

    func map<Value>(_ transform: (Row) throws(PostgresError) -> Value) throws(PostgresError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        for index in 0..<count { values.append(try transform(Row(rows: self, index: index))) }
        return values
    }

    /// Nil for null and for a column that there is not.
    private func cell(_ row: Int, _ column: Int) -> ArraySlice<UInt8>? {
        guard column < columns else { return nil }
        let (start, length) = cells[row * columns + column]
        return length < 0 ? nil : bytes[start..<start + length]
    }
}
