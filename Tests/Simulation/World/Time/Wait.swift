/// One suspended task that somebody in the world will wake: the first word counts. Confined to the loop's thread.
final class Wait<Value: Sendable>: @unchecked Sendable {
    private var continuation: CheckedContinuation<Value, Never>?
    private var forget: (() -> Void)?

    init(_ continuation: CheckedContinuation<Value, Never>, forget: @escaping () -> Void) {
        self.continuation = continuation
        self.forget = forget
    }

    func finish(_ value: Value) {
        guard let waiting = continuation else { return }
        continuation = nil
        forget?()
        forget = nil
        waiting.resume(returning: value)
    }
}
