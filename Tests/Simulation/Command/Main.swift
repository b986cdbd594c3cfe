import Simulation

/// `simulate --seeds N [--from S] [--profile P] [--defect D] [--tell]`, or `--seed S` for one.
@main
struct Simulate {
    static func main() {
        var arguments = Arguments()
        guard arguments.read(CommandLine.arguments.dropFirst()) else {
            print("usage: simulate [--seeds N] [--from S] [--seed S] [--profile P] [--defect D] [--tell] [--digests]")
            exitWith(2)
        }
        let clock = ContinuousClock()
        let began = clock.now
        var events = 0
        var failed = 0
        var counts = SimulationReport.Counts()
        for seed in arguments.seeds {
            let report =
                arguments.tells
                ? Simulation.tell(seed: seed, profile: arguments.profile, defect: arguments.defect)
                : Simulation.play(seed: seed, profile: arguments.profile, defect: arguments.defect)
            events += report.events
            counts = counts + report.counts
            if arguments.tells, report.violation == nil { for line in report.lines { print("  \(line)") } }
            if report.violation != nil || arguments.printsDigests || arguments.tells { print(report.text) }
            if report.violation != nil { failed += 1 }
            if failed >= 10 { break }
        }
        print("\(counts)")
        print("\(arguments.seeds.count) seeds, \(events) events, \(failed) failed, \(clock.now - began)")
        exitWith(failed == 0 ? 0 : 1)
    }
}
