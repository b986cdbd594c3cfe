/// How long a connection may stay as it is, counted in sweeps of its event loop. Pure; one small value a connection.
struct FrontDeadlines {
    /// The deadlines of a configuration in sweeps.
    struct Table: Sendable, Equatable {
        var handshake: Int
        var header: Int
        var idle: Int
        var bodyGrace: Int
        var bodyBytesPerSweepMin: Int
        /// What each grace period after the first one must bring.
        var bodyBytesPerGraceMin: Int
        var writeProgress: Int
        var linger: Int

        init(_ configuration: FrontConfiguration) {
            let interval = Self.nanoseconds(configuration.sweepInterval)
            // One more than needed, because the first sweep comes at any time after the event.
            let sweeps = { (duration: Duration) in (Self.nanoseconds(duration) + interval - 1) / interval + 1 }
            handshake = sweeps(configuration.handshakeDeadline)
            header = sweeps(configuration.headerDeadline)
            idle = sweeps(configuration.idleTimeout)
            bodyGrace = sweeps(configuration.bodyGrace)
            // A rate is asked in milliseconds and of at most a gigabyte, so that the product fits.
            bodyBytesPerSweepMin = min(configuration.bodyBytesPerSecondMin, 1 << 30) * min(interval / 1_000_000, 3_600_000) / 1000
            let (product, overflow) = bodyGrace.multipliedReportingOverflow(by: bodyBytesPerSweepMin)
            bodyBytesPerGraceMin = overflow ? .max : product
            writeProgress = sweeps(configuration.writeProgressDeadline)
            linger = sweeps(configuration.lingerDeadline)
        }

        private static func nanoseconds(_ duration: Duration) -> Int {
            let (seconds, attoseconds) = duration.components
            // A century is for ever.
            return max(1, Int(min(max(seconds, 0), 3_155_760_000)) * 1_000_000_000 + Int(attoseconds / 1_000_000_000))
        }
    }

    enum Phase: Equatable {
        case idle
        /// Bytes of a header have come, but not all.
        case header
        case body(received: Int, isWithheld: Bool)
        case answering
        case draining
        /// TLS is being agreed on.
        case handshake
    }

    enum Verdict: Equatable { case stay, idle, headerDeadline, bodyRate, writeProgress, linger, handshakeDeadline }

    private var epoch: UInt32 = 0
    private var phaseKind: UInt8 = 0
    private var sweepsInPhase = 0
    private var sweepsWithoutProgress = 0
    /// The grace period of the body that is running: which one, since how many sweeps, and what had arrived before it.
    private var graces = 0
    private var sweepsInGrace = 0
    private var bytesBeforeGrace = 0
    private var bufferedBytes = 0
    private var writtenBytes = 0

    /// - Parameters:
    ///   - epoch: changes with every request, so that the same phase of another one starts anew.
    ///   - bufferedBytes: written, but not yet taken by the kernel.
    ///   - writtenBytes: written since the connection began.
    mutating func sweep(_ phase: Phase, epoch: UInt32, bufferedBytes: Int, writtenBytes: Int, _ table: Table) -> Verdict {
        let kind = Self.kind(phase)
        if epoch != self.epoch || kind != phaseKind {
            (self.epoch, phaseKind, sweepsInPhase) = (epoch, kind, 0)
            (graces, sweepsInGrace, bytesBeforeGrace) = (0, 0, 0)
        }
        let moved = bufferedBytes == 0 || bufferedBytes < self.bufferedBytes || writtenBytes != self.writtenBytes
        sweepsWithoutProgress = moved ? 0 : sweepsWithoutProgress + 1
        (self.bufferedBytes, self.writtenBytes) = (bufferedBytes, writtenBytes)
        if sweepsWithoutProgress >= table.writeProgress { return .writeProgress }

        if case .body(_, isWithheld: true) = phase { return .stay }
        sweepsInPhase += 1
        switch phase {
        // A download that the kernel has not taken is not idleness (one-port.md, pitfall 4).
        case .idle: return bufferedBytes == 0 && sweepsInPhase >= table.idle ? .idle : .stay
        case .header: return sweepsInPhase >= table.header ? .headerDeadline : .stay
        case .body(let received, _):
            if hasStalled(received, table) { return .bodyRate }
            guard sweepsInPhase >= table.bodyGrace else { return .stay }
            return received <= (sweepsInPhase - table.bodyGrace) * table.bodyBytesPerSweepMin ? .bodyRate : .stay
        case .answering: return .stay
        case .draining: return sweepsInPhase >= table.linger && bufferedBytes == 0 ? .linger : .stay
        case .handshake: return sweepsInPhase >= table.handshake ? .handshakeDeadline : .stay
        }
    }

    /// A body that came fast at first and then stands still would live long on its average, with all that it brought.
    private mutating func hasStalled(_ received: Int, _ table: Table) -> Bool {
        sweepsInGrace += 1
        guard sweepsInGrace >= table.bodyGrace else { return false }
        let arrived = received - bytesBeforeGrace
        let isFirst = graces == 0
        (graces, sweepsInGrace, bytesBeforeGrace) = (graces + 1, 0, received)
        return !isFirst && arrived < table.bodyBytesPerGraceMin
    }

    private static func kind(_ phase: Phase) -> UInt8 {
        switch phase {
        case .idle: 0
        case .header: 1
        case .body: 2
        case .answering: 3
        case .draining: 4
        case .handshake: 5
        }
    }
}
