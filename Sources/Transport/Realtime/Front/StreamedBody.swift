internal import NIOCore

/// The body of a request that is too long, or too uncertain in length, to be gathered: an asynchronous sequence with
/// back-pressure to the socket. Read it once.
struct StreamedBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    typealias Producer = NIOThrowingAsyncSequenceProducer<
        ByteBuffer, any Error, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, Demand
    >

    /// Carries the consumer's demand to the event loop. Its calls come from any thread.
    struct Demand: NIOAsyncSequenceProducerDelegate {
        let outbox: ResponseOutbox

        func produceMore() { outbox.consumerHasRoom() }
        func didTerminate() { outbox.consumerHasRoom() }
    }

    private let sequence: Producer
    private let outbox: ResponseOutbox
    private let announces: Bool

    /// - Parameter announces: the client waits for "100 Continue", which is sent when the handler begins to read.
    static func make(outbox: ResponseOutbox, announces: Bool) -> (StreamedBody, Producer.Source) {
        let made = Producer.makeSequence(
            backPressureStrategy: .init(lowWatermark: FrontLimits.bodyBuffersLow, highWatermark: FrontLimits.bodyBuffersHigh),
            finishOnDeinit: false, delegate: Demand(outbox: outbox))
        return (StreamedBody(sequence: made.sequence, outbox: outbox, announces: announces), made.source)
    }

    func makeAsyncIterator() -> Producer.AsyncIterator {
        if announces { outbox.wantsBody() }
        return sequence.makeAsyncIterator()
    }
}

/// What a handler's read of the body throws when the request did not arrive whole.
enum RequestBodyError: Error {
    case tooLarge
    case incomplete
}
