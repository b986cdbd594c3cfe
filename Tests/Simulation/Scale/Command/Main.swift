import ScaleWorld

#if canImport(Darwin)
internal import Darwin
#else
internal import Glibc
#endif

/// `scale` prints the table of docs/scale.md; `scale --streams N --masters M --slots K …` one world.
@main
struct ScaleCommand {
    static func main() {
        var arguments = Arguments()
        guard arguments.read(CommandLine.arguments.dropFirst()) else {
            print(
                """
                usage: scale [--seed S] [--streams N] [--nodes N] [--masters N] [--share PERCENT] [--slots K] [--streams-a-slot N]
                             [--balanced 0|1] [--slice S] [--near 0|1] [--warm-up S] [--seconds S] [--open µs] [--step µs] [--settle µs]
                """)
            exit(2)
        }
        if arguments.isTable {
            print("## At full size\n")
            let large = played(Scenario.large(seed: arguments.settings.seed))
            print(ScaleTable.load(large))
            print("\n## At the cap\n")
            print(ScaleTable.cuts(large.filter(\.settings.isNearCap) + played(Scenario.atTheCap(seed: arguments.settings.seed))))
        } else {
            let reports = played([arguments.settings])
            print(ScaleTable.load(reports))
            if arguments.settings.isNearCap { print("\n" + ScaleTable.cuts(reports)) }
        }
    }

    private static func played(_ worlds: [ScaleSettings]) -> [ScaleReport] {
        worlds.map { settings in
            let began = ContinuousClock.now
            let report = Scale.play(settings)
            if let violation = report.violation {
                print("seed \(settings.seed), \(settings): \(violation)")
                exit(1)
            }
            // Standard output has the tables only.
            let words = "\(report.events) events, \(report.live) live at the end, \(ContinuousClock.now - began)\n"
            words.withCString { _ = write(2, $0, strlen($0)) }
            return report
        }
    }
}
