internal import Accounting
internal import Engine
internal import Tenancy

/// The keys of run logs. Those of a run carry the hash tag of its organisation as the counters do, so that in a cluster they are where
/// its counters are; those of a node carry the node's. No name of an organisation has a brace or a space.
enum RunLogKeys {
    /// The events, a stream with ids `<seq>-<part>`.
    static func log(org: OrgID, _ run: RunID) -> String { "kdcube:{\(org)}:run:\(run.text)" }
    /// Whose run it is, a text (``RunHead``).
    static func head(org: OrgID, _ run: RunID) -> String { "kdcube:{\(org)}:run:\(run.text):head" }

    /// The runs of a node, a set of `<org> <run>`.
    static func runs(of node: String) -> String { "kdcube:{\(node)}:runs" }
    /// What others ask of a node's runs, a stream.
    static func orders(for node: String) -> String { "kdcube:{\(node)}:orders" }
    static func member(org: OrgID, _ run: RunID) -> String { "\(org) \(run.text)" }
    static func member(_ text: String) -> (org: OrgID, run: RunID)? {
        let words = text.split(separator: " ")
        guard words.count == 2, let org = try? OrgID(String(words[0])), let run = RunID(String(words[1])) else { return nil }
        return (org, run)
    }

    /// Nodes and how often each has said that it lives, a hash.
    static let nodes = "kdcube:{run-nodes}:nodes"
    static let nodesTag = "run-nodes"
}
