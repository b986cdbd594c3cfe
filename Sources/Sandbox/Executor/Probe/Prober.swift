import CLauncher
import Glibc

/// Tries out how well this machine shuts a sandbox in: launches a canary as every sandbox is launched, lets it reach for all
/// that it must not have, and judges what it found.
///
/// Run at the server's start and every hour. Needs no state; each probe has a launcher of its own.
package struct Prober: Sendable {
    /// Of the whole canary; it needs about a quarter of a second.
    static let wall = Duration.seconds(20)
    /// Of what the canary may say.
    static let outputMax = 64 << 10

    let settings: SandboxSettings
    var program = PackageResources.probe_py

    package init(_ settings: SandboxSettings) { self.settings = settings }

    /// Never throws: what fails is part of the report. Where no sandbox with namespaces starts, one without is tried.
    package func probe() async -> IsolationReport {
        let landlock = LandlockLayer.version
        let evidence = await canary(.namespaces)
        let report = ProbeJudge.judge(evidence, landlockABI: landlock)
        guard evidence.findings.isEmpty, evidence.isPrivileged, evidence.landlockAbsence == nil, landlock >= BareCommand.oldestLandlock
        else {
            return report
        }
        var bare = await canary(.bare)
        guard !bare.findings.isEmpty else { return report }
        bare.namespaceTrouble = report.probes.first { !$0.passed && ["bubblewrap", "start"].contains($0.name) }?.found
        return ProbeJudge.judge(bare, landlockABI: landlock)
    }

    private func canary(_ shape: SandboxShape) async -> ProbeJudge.Evidence {
        var evidence = ProbeJudge.Evidence()
        evidence.shape = shape
        evidence.bubblewrap = settings.bubblewrap
        evidence.isPrivileged = geteuid() == 0
        var canary = settings
        // The level is what is being found out; small limits are reached sooner.
        canary.minimum = .none
        canary.limits.memory = 96 << 20
        canary.limits.processes = evidence.processes
        canary.most = 1
        do {
            let launcher = try Launcher(canary, bootstrap: program)
            launcher.use(shape)
            evidence = await look(launcher, evidence)
            await launcher.shutdown()
        } catch {
            evidence.launchError = error.description
        }
        return evidence
    }

    private func look(_ launcher: Launcher, _ before: ProbeJudge.Evidence) async -> ProbeJudge.Evidence {
        var evidence = before
        let bubblewrap = settings.bubblewrap, root = settings.cgroups
        let settings = settings
        let (hasBubblewrap, cgroups, landlock) = await launcher.keepers.run {
            (access(bubblewrap, X_OK) == 0, Cgroups.detect(root: root), LandlockLayer.find(settings))
        }
        evidence.hasBubblewrap = hasBubblewrap
        evidence.cgroups = cgroups.kind
        evidence.cgroupReason = cgroups.reason
        if case .absent(let reason) = landlock { evidence.landlockAbsence = reason }
        guard hasBubblewrap || evidence.shape == .bare else { return evidence }
        do {
            let sandbox = try await launcher.launch()
            let (out, err) = await launcher.keepers.run { Self.read(sandbox.stdout, sandbox.stderr) }
            evidence.remains = await launcher.kill(sandbox)
            for descriptor in [sandbox.channel, sandbox.stdout, sandbox.stderr] { close(descriptor) }
            await launcher.remove(sandbox)
            evidence.findings = Self.findings(out)
            evidence.complaint = err
            if evidence.findings.isEmpty { evidence.launchError = LandlockLayer.failure(evidence.remains?.status, err)?.description }
        } catch {
            evidence.launchError = error.description
        }
        return evidence
    }

    static func findings(_ text: String) -> [String: String] {
        var found: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "\t", maxSplits: 1)
            if parts.count == 2 { found[String(parts[0])] = String(parts[1].prefix(200)) }
        }
        return found
    }

    /// Reads both until they end, or for as long as a canary may take. Blocks.
    private static func read(_ out: Int32, _ err: Int32) -> (String, String) {
        let end = ContinuousClock.now + wall
        var texts: [[UInt8]] = [[], []]
        var open = [true, true]
        var chunk = [UInt8](repeating: 0, count: 4_096)
        while open.contains(true), ContinuousClock.now < end {
            // A negative descriptor is one that poll leaves out.
            var ready: [UInt8] = [0, 0]
            _ = claunch_poll([open[0] ? out : -1, open[1] ? err : -1], 2, &ready, 1_000)
            for (index, descriptor) in [out, err].enumerated() where ready[index] != 0 {
                let count = Glibc.read(descriptor, &chunk, chunk.count)
                if count > 0, texts[index].count < outputMax {
                    texts[index].append(contentsOf: chunk[..<count])
                } else if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) || count > 0 {
                    open[index] = false
                }
            }
        }
        return (String(decoding: texts[0], as: UTF8.self), String(decoding: texts[1], as: UTF8.self))
    }
}
