/// What the sweep of an event loop looks at: who serves a connection, or a stream of one. Confined to that loop.
protocol SweptConnection: AnyObject {
    /// Judges, and changes nothing that others see.
    func sweep() -> FrontDeadlines.Verdict
    func overstayed(_ verdict: FrontDeadlines.Verdict)
}
