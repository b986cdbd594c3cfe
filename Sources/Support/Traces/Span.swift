internal import Synchronization

/// A value of an attribute.
public enum SpanValue: Sendable, Hashable {
    case text(String)
    case texts([String])
    case integer(Int64)
    case double(Double)
    case flag(Bool)

    /// Cut to what a span may hold.
    var bounded: SpanValue {
        switch self {
        case .text(let text): .text(text.cut(TraceLimits.textBytesMax))
        case .texts(let texts): .texts(texts.prefix(TraceLimits.eventsMax).map { $0.cut(TraceLimits.textBytesMax) })
        default: self
        }
    }
}

public typealias SpanAttribute = (name: String, value: SpanValue)

/// What is sent of one span: over, and not to be changed any more. Times are nanoseconds since 1970.
public struct SpanRecord: Sendable {
    public struct Event: Sendable {
        public let name: String
        public let at: Int64
        public let attributes: [SpanAttribute]
    }

    public let name: String
    public let kind: Span.Kind
    public let context: TraceContext
    /// Nil for the first of its trace.
    public let parent: UInt64?
    public let began: Int64
    public let ended: Int64
    public let attributes: [SpanAttribute]
    public let events: [Event]
    /// Why what it stands for failed; nil for what did not.
    public let fault: String?
}

/// One piece of work of a trace that is recorded. Never made where nothing is traced: then callers hold nil.
///
/// Safe to use from any thread: a `Mutex` held for a line. What comes after ``end()`` is dropped.
public final class Span: Sendable {
    /// As OTLP numbers them.
    public enum Kind: Int, Sendable, Hashable {
        case work = 1
        case server = 2
        case client = 3
    }

    private struct State {
        var attributes: [SpanAttribute] = []
        var events: [SpanRecord.Event] = []
        var fault: String?
        var isOver = false
    }

    /// The span that the present task works for; nil where nothing is recorded.
    @TaskLocal public static var current: Span?

    public let context: TraceContext
    private let name: String
    private let kind: Kind
    private let parent: UInt64?
    private let began: Int64
    private let tracer: Tracer
    private let state = Mutex(State())

    init(_ name: String, _ kind: Kind, context: TraceContext, parent: UInt64?, tracer: Tracer) {
        self.name = name.cut(TraceLimits.textBytesMax)
        self.kind = kind
        self.context = context
        self.parent = parent
        self.tracer = tracer
        began = tracer.now()
    }

    /// Works for a span: what the body asks of others belongs to it. Without one the body is called, and that is all.
    public static func within<Value>(_ span: Span?, _ body: () async -> Value) async -> Value {
        guard let span else { return await body() }
        return await TraceContext.$current.withValue(span.context) {
            await $current.withValue(span) { await body() }
        }
    }

    /// A part of this work.
    public func child(_ name: String, _ kind: Kind = .work) -> Span { tracer.child(of: context, name, kind) }

    /// Sets an attribute; one of the same name is replaced.
    public func set(_ name: String, _ value: SpanValue) {
        state.withLock { state in
            guard !state.isOver else { return }
            if let index = state.attributes.firstIndex(where: { $0.name == name }) {
                state.attributes[index].value = value.bounded
            } else if state.attributes.count < TraceLimits.attributesMax {
                state.attributes.append((name, value.bounded))
            }
        }
    }

    /// Sets it where there is one.
    public func set(_ name: String, _ text: String?) {
        if let text { set(name, .text(text)) }
    }

    public func note(_ event: String, _ attributes: [SpanAttribute] = []) {
        let at = tracer.now()
        state.withLock { state in
            guard !state.isOver, state.events.count < TraceLimits.eventsMax else { return }
            state.events.append(SpanRecord.Event(name: event, at: at, attributes: attributes.map { ($0.name, $0.value.bounded) }))
        }
    }

    /// What it stands for failed.
    ///
    /// - Parameter type: a code of ours, never a text of somebody else's.
    public func fail(_ type: String) {
        set("error.type", .text(type))
        state.withLock { $0.fault = type }
    }

    /// The first call counts.
    public func end() {
        let ended = tracer.now()
        let record: SpanRecord? = state.withLock { state in
            guard !state.isOver else { return nil }
            state.isOver = true
            return SpanRecord(
                name: name, kind: kind, context: context, parent: parent, began: began, ended: max(began, ended),
                attributes: state.attributes,
                events: state.events, fault: state.fault)
        }
        if let record { tracer.queue.push(record) }
    }
}

extension String {
    /// At most so many bytes, and whole characters.
    func cut(_ bytes: Int) -> String {
        guard utf8.count > bytes else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: bytes)
        while end > startIndex, String.Index(end, within: self) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
