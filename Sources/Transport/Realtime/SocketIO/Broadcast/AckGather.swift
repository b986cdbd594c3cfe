internal import JSON
internal import NIOCore

/// The receivers of one broadcast on one loop, until all have answered, timed out or left (S23). Confined to that loop.
///
/// There is no timer: each receiver's entry is in its ``AckTable``, which the loop's wheel looks after.
final class AckGather {
    private var gathered = GatheredAnswers()
    private var waiting: Int
    private var room = TransportLimits.broadcastAnswerBytesMax
    private let promise: EventLoopPromise<GatheredAnswers>
    private let observer: AnswerObserver?
    private var isFinished = false

    init(waiting: Int, observer: AnswerObserver? = nil, promise: EventLoopPromise<GatheredAnswers>) {
        self.waiting = waiting
        self.observer = observer
        self.promise = promise
        observer?.counted(waiting)
    }

    /// - Returns: true with the last answer.
    func take(_ answer: AckTable.Answer) -> Bool {
        guard !isFinished else { return false }
        waiting -= 1
        switch answer {
        case .success(let arguments): keep(arguments.first ?? .null)
        case .failure(let error): gathered.miss(error)
        }
        guard waiting == 0 else { return false }
        finish()
        return true
    }

    private func keep(_ answer: JSONValue) {
        room -= answer.weight
        guard room >= 0 else { return gathered.miss(.tooLarge) }
        gathered.answers.append(answer)
        observer?.answered(answer)
    }

    /// Nobody waits any more.
    func cancel() {
        guard !isFinished else { return }
        gathered.miss(.cancelled, count: waiting)
        finish()
    }

    func finish() {
        isFinished = true
        promise.succeed(gathered)
    }
}
