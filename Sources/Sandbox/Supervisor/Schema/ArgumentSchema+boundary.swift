internal import JSON

extension ArgumentSchema {
    func boundaryViolation(_ arguments: JSONObject, org: String, project: String) -> ArgumentError? { nil }
}
