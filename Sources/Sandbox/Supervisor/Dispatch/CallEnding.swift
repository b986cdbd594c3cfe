internal import JSON

/// What a dispatch that is over means: for the answer, for the charge, and for the log. Pure.
struct CallEnding: Sendable {
    let outcome: CallOutcome
    let status: DecisionOutcome.Status
    let certainty: Attempt.Certainty
    let goesOn: Bool
    /// Of the tool's JSON text, also of one that was too large.
    let bytes: Int

    var code: String? {
        guard case .failed(let code, _, _) = outcome else { return nil }
        return code
    }

    var value: JSONValue? {
        switch outcome {
        case .value(let value): value
        case .failed(_, _, let value): value
        case .denied: nil
        }
    }

    /// - Parameter limit: how many bytes a result may have.
    init(_ ending: DispatchMachine.Ending, limit: Int) {
        switch ending {
        case .notStarted:
            outcome = .failed(code: RefusalCode.cancelled, message: "The call was cancelled before it began.", value: nil)
            (status, certainty, goesOn, bytes) = (.cancelled, .noEffect, false, 0)
        case .returned(.success(let value)):
            bytes = value.jsonBytes.count
            goesOn = false
            certainty = .known
            if bytes <= limit {
                (outcome, status) = (.value(value), .ok)
            } else {
                let message = "The tool was called, and its result has \(bytes) bytes; at most \(limit) are taken."
                (outcome, status) = (.failed(code: RefusalCode.outputTooLarge, message: message, value: nil), .error)
            }
        case .returned(.failure(let failure)):
            let (value, bytes) = Self.kept(failure.value, limit: limit)
            let code = failure.isTimeout ? RefusalCode.toolTimeout : Self.code(of: failure)
            outcome = .failed(code: code, message: Self.message(of: failure), value: value)
            status = failure.isTimeout ? .timeout : .error
            certainty = failure.hadNoEffect ? .noEffect : failure.isTimeout ? .unknown : .known
            goesOn = false
            self.bytes = bytes
        case .stopped(let cause, let result):
            switch result {
            case .success(let value):
                let (value, bytes) = Self.kept(value, limit: limit)
                outcome = Self.stopped(cause, value)
                certainty = .unknown
                self.bytes = bytes
            case .failure(let failure):
                let (value, bytes) = Self.kept(failure.value, limit: limit)
                outcome = Self.stopped(cause, value)
                certainty = failure.hadNoEffect ? .noEffect : .unknown
                self.bytes = bytes
            }
            status = cause == .deadline ? .timeout : .cancelled
            goesOn = false
        case .abandoned(let cause):
            outcome = Self.stopped(cause, nil)
            (status, certainty, goesOn, bytes) = (.unknown, .unknown, true, 0)
        }
    }

    private static func stopped(_ cause: DispatchMachine.StopCause, _ value: JSONValue?) -> CallOutcome {
        switch cause {
        case .deadline: .failed(code: RefusalCode.toolTimeout, message: "The tool did not answer in time.", value: value)
        case .cancelled: .failed(code: RefusalCode.cancelled, message: "The call was cancelled.", value: value)
        }
    }

    private static func kept(_ value: JSONValue?, limit: Int) -> (JSONValue?, Int) {
        guard let value else { return (nil, 0) }
        let bytes = value.jsonBytes.count
        return (bytes <= limit ? value : nil, bytes)
    }

    private static func code(of failure: ToolFailure) -> String {
        SafeText.isCode(failure.code) ? failure.code : RefusalCode.toolError
    }

    private static func message(of failure: ToolFailure) -> String {
        SafeText.bounded(failure.message, bytesMax: SupervisorLimits.messageBytesMax)
    }
}
