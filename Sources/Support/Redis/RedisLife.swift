/// A numbered life of the data of one Redis process.
package struct RedisLife: Sendable, Hashable {
    package let number: Int64
    /// The `run_id` of the process.
    package let incarnation: String

    package init(number: Int64, incarnation: String) {
        self.number = number
        self.incarnation = incarnation
    }
}
