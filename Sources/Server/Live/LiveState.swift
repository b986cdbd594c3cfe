internal import Accounting
internal import Engine

/// Totals of an organisation's live runs on one server.
struct OrgTotals: Sendable, Hashable {
    var runs: Int64 = 0
    var rate = StreamRate()

    static func + (left: OrgTotals, right: OrgTotals) -> OrgTotals {
        OrgTotals(runs: left.runs + right.runs, rate: left.rate + right.rate)
    }
}

/// What one server knows of its live runs, from successive looks at them. A value; instants are the caller's.
struct LiveState: Sendable {
    private struct Track: Sendable {
        var meter: RateMeter
        /// What is counted in the minutes already.
        var tokens: Int64 = 0
        var cost: Int64 = 0
        /// Its end was told: nothing more is counted of it.
        var isConcluded = false
    }

    private let node: String
    private var tracks: [String: Track] = [:]
    private(set) var minutes = MinuteBook()
    /// In the order of their ids; at most ``LiveLimits/rows``.
    private(set) var rows: [StreamRow] = []
    private(set) var totals: [OrgID?: OrgTotals] = [:]
    private(set) var runs = 0
    private(set) var rate = StreamRate()

    init(node: String) { self.node = node }

    /// Looks at all live runs.
    ///
    /// - Parameter elsewhere: those of other servers, which spend of the same windows.
    mutating func take(_ samples: [StreamSample], elsewhere: [StreamRow] = [], now: Int64) {
        let living = samples.filter { !$0.isEnded && tracks[$0.run]?.isConcluded != true }
        let seen = Set(samples.map(\.run))
        tracks = tracks.filter { seen.contains($0.key) }
        var (rates, forecast): ([StreamRate], StreamForecast) = ([], StreamForecast())
        (totals, rate) = ([:], StreamRate())
        for row in elsewhere { forecast.add(row) }
        for sample in living {
            var track = tracks[sample.run] ?? Track(meter: RateMeter(startedAt: sample.startedAt, seenAt: now, cost: sample.cost.rawValue))
            let speed = track.meter.note(tokens: sample.outputTokens, cost: sample.cost.rawValue, now: now)
            count(&track, sample.tenant.org, tokens: sample.outputTokens, cost: sample.cost.rawValue, now: now)
            tracks[sample.run] = track
            rates.append(speed)
            forecast.add(sample.windows, speed)
            totals[sample.tenant.org, default: OrgTotals()].runs += 1
            totals[sample.tenant.org, default: OrgTotals()].rate = (totals[sample.tenant.org] ?? OrgTotals()).rate + speed
            rate = rate + speed
        }
        runs = living.count
        for case (let org?, let total) in totals { minutes.change(org, now: now) { $0.runs = max($0.runs, total.runs) } }
        minutes.prune(now: now)
        rows = Self.fairShare(Array(zip(living, rates)), most: LiveLimits.rows).map { sample, rate in
            row(sample, rate, forecast.stop(among: sample.windows, now: now), now: now)
        }.sorted { $0.run < $1.run }
    }

    private func row(_ sample: StreamSample, _ rate: StreamRate, _ stop: StreamStop?, now: Int64) -> StreamRow {
        StreamRow(
            run: sample.run, org: sample.tenant.org, project: sample.tenant.project, user: sample.tenant.user, key: sample.tenant.key,
            model: sample.model, conversation: sample.conversation, phase: sample.state.name,
            waiting: sample.waiting(silent: tracks[sample.run]?.meter.isSilent(now: now) ?? false), tool: sample.tool,
            startedAt: sample.startedAt, deliveredTokens: sample.deliveredTokens, inputTokens: sample.inputTokens,
            outputTokens: sample.outputTokens, cost: sample.cost, rate: rate, stops: stop, node: node)
    }

    /// The dearest of each organisation, then the second of each, and so on: no organisation takes the places of another.
    static func fairShare(_ streams: [(StreamSample, StreamRate)], most: Int) -> [(StreamSample, StreamRate)] {
        guard streams.count > most else { return streams }
        let byOrg = Dictionary(grouping: streams) { $0.0.tenant.org }.values.map { streams in
            streams.sorted { ($0.1.cost, $0.1.tokens, $1.0.run) > ($1.1.cost, $1.1.tokens, $0.0.run) }
        }
        var (shared, turn): ([(StreamSample, StreamRate)], Int) = ([], 0)
        while shared.count < most {
            for streams in byOrg where turn < streams.count && shared.count < most { shared.append(streams[turn]) }
            turn += 1
        }
        return shared
    }

    /// A run has ended; told once, before it leaves the coordinator's table.
    mutating func concluded(_ run: String, org: OrgID, isCut: Bool, tokens: Int64, cost: Int64, now: Int64) {
        var track = tracks[run] ?? Track(meter: RateMeter(startedAt: now, seenAt: now, cost: cost))
        count(&track, org, tokens: tokens, cost: cost, now: now)
        track.isConcluded = true
        tracks[run] = track
        if isCut { minutes.change(org, now: now) { $0.cuts += 1 } }
        // What ended within its minute has run in it.
        minutes.change(org, now: now) { $0.runs = max($0.runs, 1) }
    }

    mutating func decided(_ org: OrgID, isAllowed: Bool, now: Int64) {
        minutes.change(org, now: now) { if isAllowed { $0.allowed += 1 } else { $0.denied += 1 } }
    }

    private mutating func count(_ track: inout Track, _ org: OrgID, tokens: Int64, cost: Int64, now: Int64) {
        // A settlement may bring a run's count down: then nothing is taken back from the minute.
        let (more, dearer) = (max(0, tokens - track.tokens), max(0, cost - track.cost))
        track.tokens = max(track.tokens, tokens)
        track.cost = max(track.cost, cost)
        guard more > 0 || dearer > 0 else { return }
        minutes.change(org, now: now) {
            $0.tokens += more
            $0.cost += dearer
        }
    }
}
