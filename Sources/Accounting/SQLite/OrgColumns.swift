public import Accounting
public import GRDB

// For arguments. A row is read by the functions below: what `row["org"]` cannot convert ends the process.

extension OrgID: DatabaseValueConvertible {
    public var databaseValue: DatabaseValue { text.databaseValue }

    public static func fromDatabaseValue(_ value: DatabaseValue) -> OrgID? {
        String.fromDatabaseValue(value).flatMap { try? OrgID($0) }
    }
}

extension CounterSlot: DatabaseValueConvertible {
    public var databaseValue: DatabaseValue { name.databaseValue }

    public static func fromDatabaseValue(_ value: DatabaseValue) -> CounterSlot? {
        String.fromDatabaseValue(value).flatMap { try? CounterSlot($0) }
    }
}

extension Row {
    /// The column `org`, where it names an organisation.
    var org: OrgID {
        get throws {
            let text: String = self["org"]
            do { return try OrgID(text) } catch { throw EmbeddedDatabaseError.failed("a row has no name of an org: \(error)") }
        }
    }

    /// The same; nil for null.
    var optionalOrg: OrgID? {
        get throws {
            let text: String? = self["org"]
            return text == nil ? nil : try org
        }
    }

    /// The column `org`, where it names counters.
    var counters: CounterSlot {
        get throws {
            let text: String = self["org"]
            do { return try CounterSlot(text) } catch { throw EmbeddedDatabaseError.failed("a row has no name of counters: \(error)") }
        }
    }
}
