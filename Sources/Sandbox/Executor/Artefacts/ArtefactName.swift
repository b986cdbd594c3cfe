/// Decides whether a file's name may leave the sandbox.
///
/// A name is later a line of a log, a column of a database, a header of a download and a path on somebody's disk: it must be
/// harmless in all of them.
enum ArtefactName {
    /// Bytes of the whole path below `/w`: what a file system takes as one name.
    static let longest = 255
    /// Characters of a refused name that are shown.
    static let shown = 80

    /// The name, or nil when it is refused.
    static func checked(_ path: [UInt8]) -> String? {
        guard !path.isEmpty, path.count <= longest, let name = String(validating: path, as: UTF8.self) else { return nil }
        guard name.unicodeScalars.allSatisfy(isHarmless) else { return nil }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else { return nil }
        return name
    }

    /// Any name as text that is harmless to show: other characters as `\u{…}`, the middle of long ones left out.
    static func shown(_ path: [UInt8]) -> String {
        let decoded = String(decoding: path.prefix(4 * longest), as: UTF8.self)
        var text = ""
        for scalar in decoded.unicodeScalars {
            if isHarmless(scalar), scalar != "\u{FFFD}" {
                text.unicodeScalars.append(scalar)
            } else {
                text += "\\u{" + String(scalar.value, radix: 16) + "}"
            }
        }
        guard text.count > shown else { return text }
        return text.prefix(shown / 2) + "…" + text.suffix(shown / 2 - 1)
    }

    private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        // Controls, newlines of Unicode, and what makes text look like other text (direction overrides, zero widths).
        case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse, .surrogate: false
        default: scalar != "\\"
        }
    }
}
