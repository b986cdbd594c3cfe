internal import Foundation

/// The rule for names of organisations, projects, users and keys.
public enum TenancyName {
    /// Stands where a path needs a project and an act has none: a change of the whole org, a refusal before any project was known.
    public static let noProject = "-"

    /// In UTF-8: an e-mail address or an identity provider's subject fits.
    public static let bytesMax = 128

    /// Two names that are shown alike are one: Unicode's composed form (NFC) is the only one, so that stores, which compare bytes, and
    /// Swift, which compares what is meant, never differ.
    public static func check(_ name: String) throws(ScopeError) {
        guard !name.isEmpty else { throw .emptyName }
        guard name.utf8.count <= bytesMax else { throw .nameTooLong }
        for scalar in name.unicodeScalars {
            guard scalar.value > 0x20, scalar.value != 0x7F, !scalar.properties.isWhitespace, !"/{}".unicodeScalars.contains(scalar),
                scalar.properties.generalCategory != .control, scalar.properties.generalCategory != .format
            else { throw .forbiddenCharacter }
        }
        guard name.utf8.allSatisfy({ $0 < 0x80 }) || name.utf8.elementsEqual(name.precomposedStringWithCanonicalMapping.utf8) else {
            throw .notComposed
        }
    }
}
