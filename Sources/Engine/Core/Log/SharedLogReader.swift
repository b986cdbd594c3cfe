/// Puts the events of a run together from what stands in a store: entries with ids `<seq>-<part>`, most of them in one part. Pure.
///
/// Where the owner died between two parts, or somebody wrote what is no event, the event is left out: a later one makes it a gap.
public struct SharedLogReader: Sendable {
    /// Of one event in parts: the text of a run at its most (``EngineLimits/textBytesMax``), escaped.
    static let eventBytesMax = 64 << 20

    /// The id of the last entry that was taken; where to read on.
    public private(set) var position = "0-0"
    private var parts: [UInt8] = []
    private var partsOf = 0

    public init() {}

    /// - Parameter isLast: whether the event ends with this part.
    public mutating func take(id: String, text: some Sequence<UInt8>, isLast: Bool) -> SharedEvent? {
        position = id
        let numbers = id.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let seq = numbers[0], let part = numbers[1] else { return nil }
        if part == 0 || seq != partsOf { parts = [] }
        // Its beginning is missing.
        if part > 0, parts.isEmpty { return nil }
        partsOf = seq
        parts.append(contentsOf: text)
        guard parts.count <= Self.eventBytesMax else {
            parts = []
            return nil
        }
        guard isLast else { return nil }
        defer { parts = [] }
        guard let event = SharedEvent(json: parts), event.seq == seq else { return nil }
        return event
    }
}
