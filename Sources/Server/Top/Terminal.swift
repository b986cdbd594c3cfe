internal import Foundation
internal import Glibc

/// A terminal that `kdcube top` draws on: keys come one by one, and everything is as before when it is given back.
///
/// For one task.
struct Terminal {
    /// Alternate screen, no cursor; and back.
    private static let enter = "\u{1B}[?1049h\u{1B}[?25l"
    private static let leave = "\u{1B}[?25h\u{1B}[?1049l"

    private let before: termios

    /// Nil where standard input or output is no terminal.
    init?() {
        var settings = termios()
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        before = settings
        cfmakeraw(&settings)
        // Line ends of what is drawn are still the terminal's.
        settings.c_oflag |= tcflag_t(OPOST)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) == 0 else { return nil }
        Self.write(Self.enter)
    }

    func restore() {
        var settings = before
        Self.write(Self.leave)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
    }

    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (120, 40) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// What was typed since the last look; never waits.
    func keys() -> [UInt8] {
        var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, 0) == 1 else { return [] }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(STDIN_FILENO, &bytes, bytes.count)
        // An end of input is the wish to end.
        return count > 0 ? Array(bytes.prefix(count)) : [3]
    }

    /// Draws from the upper left; what is left of the last picture is cleared.
    func draw(_ lines: [String]) {
        Self.write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\n") + "\u{1B}[J")
    }

    private static func write(_ text: String) { try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) }
}
